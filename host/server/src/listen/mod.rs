//! Where clients connect. Never off this machine.

mod error;
mod tcp;
mod unix;

use std::{net::SocketAddr, path::PathBuf};

pub use error::Error;
pub(crate) use tcp::bind as bind_tcp;
pub(crate) use unix::UnixSocket;

/// Where to listen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listen {
    /// A Unix socket, made with mode 0660. Its directory must exist; the path may have 100 bytes. Default = none.
    pub socket: Option<PathBuf>,
    /// A loopback address; port 0 lets the system choose. Default = none.
    pub address: Option<SocketAddr>,
}
