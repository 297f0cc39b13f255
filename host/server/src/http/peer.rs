//! Who is at the other end of the connection.

use axum::{
    extract::FromRequestParts,
    http::{Method, request::Parts},
};
use tidegate_core::Code;
use tidegate_engine::Writer;

use super::Failure;
use crate::listen::Link;

/// The other end, as the kernel knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// A process of this machine, over the Unix socket. The kernel may have lost it.
    Unix(Option<Process>),
    /// Some process of this machine, over loopback TCP. Its user is looked up when it matters.
    Tcp(Option<Link>),
}

/// `SO_PEERCRED`: what the process was when it connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    /// None: a process of another pid namespace, which this one can't name.
    pid: Option<i32>,
    uid: u32,
    gid: u32,
}

impl Peer {
    /// The peer of an accepted connection.
    pub(crate) fn of(stream: &tokio::net::UnixStream) -> Self {
        let process = stream.peer_cred().ok().map(|peer| {
            let pid = peer.pid().filter(|pid| *pid > 0);
            Process { pid, uid: peer.uid(), gid: peer.gid() }
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

    /// The user of the process, as the kernel told when it connected.
    pub(crate) fn process_user(self) -> Option<u32> {
        match self {
            Self::Unix(process) => process.map(|process| process.uid),
            Self::Tcp(_) => None,
        }
    }

    /// The user, for what belongs to users. Over TCP only this host's own and root come so far: see [`Peer::check`].
    pub(crate) fn user(self) -> Option<u32> {
        match self {
            Self::Unix(process) => process.map(|process| process.uid),
            Self::Tcp(_) => Some(rustix::process::geteuid().as_raw()),
        }
    }

    /// Whether this peer may ask so. The Unix socket's mode says who may use it; a TCP port is open to every user of the
    /// machine, so that only the host's own user and root may change anything there, and the others look.
    ///
    /// # Errors
    /// [`Code::NotLocal`].
    pub(crate) async fn check(self, method: &Method) -> Result<(), Failure> {
        let Self::Tcp(link) = self else { return Ok(()) };
        if matches!(*method, Method::GET | Method::HEAD) {
            return Ok(());
        }
        let own = rustix::process::geteuid().as_raw();
        let asked = tokio::task::spawn_blocking(move || link.map(Link::user).transpose()).await;
        match asked {
            Ok(Ok(Some(Some(user)))) if user == own || user == 0 => Ok(()),
            Ok(Ok(Some(Some(user)))) => {
                let detail = format!("the host runs as user {own} and you are user {user}: over TCP you may only look");
                Err(Failure::new(Code::NotLocal, detail))
            }
            other => {
                tracing::debug!(?other, "the user of a TCP connection is not known");
                Err(Failure::new(Code::NotLocal, "the kernel does not say whose connection this is"))
            }
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = std::convert::Infallible;
    /// The accept loop puts it there; if it were missing, the peer would be one without rights.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().copied().unwrap_or(Self::Unix(None)))
    }
}
