use std::{io, net::SocketAddr, path::PathBuf};

/// Why a socket was not opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A host answers there.
    #[error("a host answers on {0} already: stop it, or use another socket")]
    InUse(PathBuf),
    /// Something else has that name.
    #[error("{0} exists and is no socket: remove it, or use another path")]
    NotASocket(PathBuf),
    /// The kernel takes 107 bytes.
    #[error("the socket path {0} is too long: give one of at most 100 bytes")]
    TooLong(PathBuf),
    /// Listening off the loopback interface would let strangers in.
    #[error(
        "{0} is not a loopback address: use 127.0.0.1 or [::1]; off-host listeners need TLS, which is not built yet"
    )]
    NotLoopback(SocketAddr),
    /// The system refused the Unix socket.
    #[error("can't listen on the socket {path}: {source}")]
    Unix {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The system refused the address.
    #[error("can't listen on {address}: {source}")]
    Tcp {
        /// Where.
        address: SocketAddr,
        /// What it said.
        source: io::Error,
    },
}

impl Error {
    /// Whether a TCP port is taken by somebody else.
    pub fn port_taken(&self) -> bool {
        matches!(self, Self::Tcp { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }
}
