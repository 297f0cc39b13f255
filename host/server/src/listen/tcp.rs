use std::{io, net::SocketAddr};

use tokio::net::{TcpListener, TcpStream};

use super::{Error, Link, Listener};
use crate::http::Peer;

/// Listens on a loopback address.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    if !address.ip().is_loopback() {
        return Err(Error::NotLoopback(address));
    }
    TcpListener::bind(address).await.map_err(|source| Error::Tcp { address, source })
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, Peer)> {
        let (stream, there) = Self::accept(self).await?;
        // An answer is small and must not wait for the next packet.
        let _ = stream.set_nodelay(true);
        let link = stream.local_addr().ok().map(|here| Link { here, there });
        Ok((stream, Peer::Tcp(link)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_never_listens_off_the_loopback_interface() {
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            assert!(matches!(bind(address.parse().unwrap()).await, Err(Error::NotLoopback(_))), "{address}");
        }
        assert!(bind("127.0.0.1:0".parse().unwrap()).await.is_ok());
    }
}
