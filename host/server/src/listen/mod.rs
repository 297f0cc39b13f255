//! Where clients connect. Never off this machine.

mod error;
mod owner;
mod tcp;
mod unix;

use std::{io, net::SocketAddr, path::PathBuf};

pub use error::Error;
pub(crate) use owner::Link;
pub(crate) use tcp::bind as bind_tcp;
use tokio::io::{AsyncRead, AsyncWrite};
pub(crate) use unix::UnixSocket;

use crate::http::Peer;

/// Where to listen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listen {
    /// A Unix socket, made with mode 0660. Its directory must exist; the path may have 100 bytes. Default = none.
    pub socket: Option<PathBuf>,
    /// A loopback address; port 0 lets the system choose. Default = none.
    pub address: Option<SocketAddr>,
}

/// A socket that accepts connections.
pub(crate) trait Listener: Sync {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection, and who is at its other end.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Peer)>> + Send;
}
