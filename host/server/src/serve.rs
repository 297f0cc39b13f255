//! The server: sockets that are open, then connections until it is told to stop.

use std::{io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use hyper_util::server::graceful::GracefulShutdown;
use tidegate_engine::Host;
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    connection,
    http::Peer,
    listen::{Error, Listen, UnixSocket, bind_tcp},
    router,
};

/// Connections at once, both sockets together; more wait in the kernel's queue.
const CONNECTIONS: usize = 1024;
/// For requests in progress to be answered when the server stops. A commit may be waiting for the disk.
const GRACE: Duration = Duration::from_secs(30);

/// Open sockets. Clients can connect from now on; they are answered once [`Server::serve`] runs.
#[derive(Debug)]
pub struct Server {
    unix: Option<UnixSocket>,
    tcp: Option<TcpListener>,
}

impl Server {
    /// Opens the sockets that are asked for.
    ///
    /// # Errors
    /// A socket on which somebody answers, an address off the loopback interface or in use, a directory that is missing.
    pub async fn bind(listen: &Listen) -> Result<Self, Error> {
        let unix = match &listen.socket {
            Some(path) => Some(UnixSocket::bind(path).await?),
            None => None,
        };
        let tcp = match listen.address {
            Some(address) => Some(bind_tcp(address).await?),
            None => None,
        };
        Ok(Self { unix, tcp })
    }

    /// The Unix socket, if there is one.
    pub fn socket(&self) -> Option<&Path> {
        self.unix.as_ref().map(UnixSocket::path)
    }

    /// The TCP address, with the port that the system chose when port 0 was asked for.
    pub fn address(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().and_then(|tcp| tcp.local_addr().ok())
    }

    /// Answers requests until `stop` is cancelled. Then no connection is accepted any more, long polls and streams end,
    /// requests in progress are answered (for at most 30 s), and the socket file is removed.
    pub async fn serve(self, host: Host, stop: CancellationToken) {
        let router = router::service(App { host, stop: stop.clone() });
        let graceful = GracefulShutdown::new();
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        while let Some(Ok(seat)) = stop.run_until_cancelled(Arc::clone(&room).acquire_owned()).await {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = accept_unix(self.unix.as_ref()) => accepted.map(Accepted::Unix),
                accepted = accept_tcp(self.tcp.as_ref()) => accepted.map(Accepted::Tcp),
            };
            let (router, watcher) = (router.clone(), graceful.watcher());
            match accepted {
                Ok(Accepted::Unix(stream)) => {
                    let peer = Peer::of(&stream);
                    tokio::spawn(async move {
                        connection::serve(stream, peer, router, watcher).await;
                        drop(seat);
                    });
                }
                Ok(Accepted::Tcp(stream)) => {
                    let _ = stream.set_nodelay(true);
                    tokio::spawn(async move {
                        connection::serve(stream, Peer::Tcp, router, watcher).await;
                        drop(seat);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, or the peer went at once: either way the next one may be luckier.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
            tracing::warn!("some requests were not answered before the server stopped");
        }
    }
}

enum Accepted {
    Unix(tokio::net::UnixStream),
    Tcp(tokio::net::TcpStream),
}

async fn accept_unix(socket: Option<&UnixSocket>) -> io::Result<tokio::net::UnixStream> {
    match socket {
        Some(socket) => socket.accept().await,
        None => std::future::pending().await,
    }
}

async fn accept_tcp(listener: Option<&TcpListener>) -> io::Result<tokio::net::TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}
