//! Whose process is at the other end of a loopback TCP connection: the kernel's table of connections names the user of
//! each. Both ends are of this machine, so the other end stands there as well.

use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
};

/// The state of a connection that both ends have open. In any other the socket may have lost its process, and the table
/// then names user 0.
const ESTABLISHED: &str = "01";

/// A loopback connection, as this host sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) here: SocketAddr,
    pub(crate) there: SocketAddr,
}

impl Link {
    /// The user of the process at the other end; none if it is not open any more. Reads the kernel's table: call it where
    /// blocking is allowed.
    ///
    /// # Errors
    /// A table that can't be read.
    pub(crate) fn user(self) -> io::Result<Option<u32>> {
        if self.there.is_ipv6() {
            return Ok(find(&fs::read_to_string("/proc/net/tcp6")?, self));
        }
        if let Some(user) = find(&fs::read_to_string("/proc/net/tcp")?, self) {
            return Ok(Some(user));
        }
        // A client that speaks IPv4 over an IPv6 socket stands in the other table.
        let mapped = |address: SocketAddr| match address.ip() {
            IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
            IpAddr::V6(_) => address,
        };
        let mapped = Self { here: mapped(self.here), there: mapped(self.there) };
        match fs::read_to_string("/proc/net/tcp6") {
            Ok(table) => Ok(find(&table, mapped)),
            // A machine without IPv6.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn find(table: &str, link: Link) -> Option<u32> {
    let (there, here) = (in_table(link.there), in_table(link.here));
    table.lines().skip(1).find_map(|line| {
        // sl, local, remote, state, queues, timer, retransmits, user, timeout, inode
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, local, remote, state, _, _, _, user, _, inode, ..] = fields[..] else { return None };
        let is_it = local == there && remote == here && state == ESTABLISHED && inode != "0";
        is_it.then(|| user.parse().ok()).flatten()
    })
}

/// An address as the table writes it: words of 32 bits in the order of this machine, in hexadecimal.
fn in_table(address: SocketAddr) -> String {
    let words = |bytes: &[u8]| -> String {
        let words = bytes.chunks_exact(4).filter_map(|word| word.try_into().ok());
        words.map(|word| format!("{:08X}", u32::from_ne_bytes(word))).collect()
    };
    let ip = match address.ip() {
        IpAddr::V4(ip) => words(&ip.octets()),
        IpAddr::V6(ip) => words(&ip.octets()),
    };
    format!("{ip}:{:04X}", address.port())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_user_of_the_other_end_is_found_while_it_is_open() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // A machine may have no IPv6.
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (accepted, there) = listener.accept().unwrap();
            let link = Link { here: accepted.local_addr().unwrap(), there };
            assert_eq!(link.user().unwrap(), Some(rustix::process::geteuid().as_raw()), "{address}");
            // The kernel would name user 0 for what is left of it.
            drop(client);
            assert_eq!(link.user().unwrap(), None, "{address}");
        }
    }

    #[test]
    fn a_connection_without_a_process_has_no_user() {
        let line = |state: &str, inode: &str| {
            format!(
                "head\n 0: 0100007F:C001 0100007F:1B9E {state} 00000000:00000000 00:00000000 00000000 1000 0 {inode} 1 x"
            )
        };
        let link = Link { here: "127.0.0.1:7070".parse().unwrap(), there: "127.0.0.1:49153".parse().unwrap() };
        assert_eq!(find(&line("01", "77"), link), Some(1000));
        assert_eq!(find(&line("01", "0"), link), None);
        for state in ["04", "05", "06"] {
            assert_eq!(find(&line(state, "77"), link), None, "{state}");
        }
        let turned = Link { here: link.there, there: link.here };
        assert_eq!(find(&line("01", "77"), turned), None, "not this host's own end");
    }
}
