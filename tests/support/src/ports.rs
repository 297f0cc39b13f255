//! Free loopback ports.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};

/// `N` different ports of the loopback interface that nobody listened on a moment ago.
///
/// Another process may take one before its server binds it, so whoever starts the server tries again with new ones.
pub(crate) fn free<const N: usize>() -> Result<[u16; N]> {
    let mut listeners = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("bind a loopback port")?;
        *port = listener.local_addr()?.port();
        // All are held until the last one is known, or the kernel could give one twice.
        listeners.push(listener);
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn the_ports_differ() {
        let ports: [u16; 16] = super::free().unwrap();
        assert_eq!(BTreeSet::from(ports).len(), 16);
    }
}
