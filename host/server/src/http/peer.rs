//! Who is at the other end of the connection.

use axum::{extract::FromRequestParts, http::request::Parts};
use tidegate_engine::Writer;

/// The other end, as the kernel knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// A process of this machine, over the Unix socket. The kernel may have lost its id.
    Unix(Option<Process>),
    /// Some process, over loopback TCP: nobody vouches for it.
    Tcp,
}

/// `SO_PEERCRED`: what the process was when it connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pid: i32,
    uid: u32,
    gid: u32,
}

impl Peer {
    /// The peer of an accepted connection.
    pub(crate) fn of(stream: &tokio::net::UnixStream) -> Self {
        let process = stream.peer_cred().ok().and_then(|peer| {
            // 0: a process of another pid namespace, which this one can't name.
            let pid = peer.pid().filter(|pid| *pid > 0)?;
            Some(Process { pid, uid: peer.uid(), gid: peer.gid() })
        });
        Self::Unix(process)
    }

    /// Who writes a save that this peer begins.
    pub(crate) fn writer(self) -> Option<Writer> {
        match self {
            Self::Unix(Some(Process { pid, uid, gid })) => Some(Writer { pid, uid, gid }),
            _ => None,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = std::convert::Infallible;
    /// The accept loop puts it there; if it were missing, the peer would be one without rights.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().copied().unwrap_or(Self::Tcp))
    }
}
