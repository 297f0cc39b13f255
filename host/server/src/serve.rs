//! The server: sockets that are open, then connections until it is told to stop.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::Router;
use hyper_util::server::graceful::GracefulShutdown;
use tidegate_engine::Host;
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{
    answer::Answers,
    app::App,
    connection,
    listen::{Error, Listen, Listener, UnixSocket, bind_tcp},
    router,
};

/// Connections at once; more wait in the kernel's queue. Each socket has its own: whoever may connect over loopback, and
/// that is every user of the machine, must not be able to keep a trainer out of the Unix socket.
const UNIX_CONNECTIONS: usize = 4096;
/// Of these for one user, in quarters: trainers of one user may need many, and others still come in.
const QUARTERS: usize = 3;
const TCP_CONNECTIONS: usize = 256;
/// For requests in progress to be answered when the server stops. A commit may be waiting for the disk.
const GRACE: Duration = Duration::from_secs(30);

/// Open sockets. Clients can connect from now on; they are answered once [`Server::serve`] runs.
#[derive(Debug)]
pub struct Server {
    unix: Option<UnixSocket>,
    tcp: Option<TcpListener>,
    unix_connections: usize,
    tcp_connections: usize,
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
        Ok(Self { unix, tcp, unix_connections: UNIX_CONNECTIONS, tcp_connections: TCP_CONNECTIONS })
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
    /// requests in progress are answered and what they began is ended (for at most 30 s), and the socket file is removed.
    pub async fn serve(self, host: Host, stop: CancellationToken) {
        let router = router::service(App::new(host, stop.clone()));
        self.answer(router, stop).await;
    }

    async fn answer(self, router: Router, stop: CancellationToken) {
        let answers = Answers::new(router);
        let graceful = GracefulShutdown::new();
        let unix = accept(self.unix.as_ref(), self.unix_connections, &answers, &graceful);
        let tcp = accept(self.tcp.as_ref(), self.tcp_connections, &answers, &graceful);
        stop.run_until_cancelled(async { tokio::join!(unix, tcp) }).await;
        let ended = async {
            graceful.shutdown().await;
            answers.settled().await;
        };
        if tokio::time::timeout(GRACE, ended).await.is_err() {
            tracing::warn!("some requests were not answered before the server stopped");
        }
    }
}

/// Accepts connections for ever, `most` of them at once.
async fn accept<L: Listener>(listener: Option<&L>, most: usize, answers: &Answers, graceful: &GracefulShutdown) {
    let Some(listener) = listener else { return };
    let (seats, users) = (Arc::new(Semaphore::new(most)), Users::default());
    while let Ok(seat) = Arc::clone(&seats).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let Some(place) = users.take(peer.process_user(), most.div_ceil(4) * QUARTERS) else {
                    tracing::warn!(?peer, "a user has too many connections; another is closed");
                    continue;
                };
                let (answers, watcher) = (answers.clone(), graceful.watcher());
                tokio::spawn(async move {
                    connection::serve(stream, peer, answers, watcher).await;
                    drop((seat, place));
                });
            }
            Err(error) => {
                // Out of file descriptors, or the peer went at once: either way the next one may be luckier.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Connections by user.
#[derive(Debug, Clone, Default)]
struct Users(Arc<Mutex<HashMap<u32, usize>>>);

/// One connection of a user; nothing is counted where the kernel names none.
#[derive(Debug)]
struct Place(Users, Option<u32>);

impl Users {
    fn counts(&self) -> MutexGuard<'_, HashMap<u32, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, user: Option<u32>, most: usize) -> Option<Place> {
        if let Some(user) = user {
            let mut counts = self.counts();
            let count = counts.entry(user).or_default();
            if *count >= most {
                return None;
            }
            *count += 1;
        }
        Some(Place(self.clone(), user))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(user) = self.1 else { return };
        let mut counts = self.0.counts();
        if let Entry::Occupied(mut count) = counts.entry(user) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::{extract::State, http::StatusCode, routing};
    use tokio::{
        io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
        net::{TcpStream, UnixStream},
        sync::mpsc,
    };

    use super::*;

    async fn open(dir: &Path) -> Server {
        let listen = Listen { socket: Some(dir.join("s")), address: Some("127.0.0.1:0".parse().unwrap()) };
        Server::bind(&listen).await.unwrap()
    }

    #[tokio::test]
    async fn what_a_client_that_goes_away_has_begun_is_ended_before_the_server_stops() {
        #[derive(Clone)]
        struct Scene {
            begun: mpsc::Sender<()>,
            stop: CancellationToken,
            log: Arc<Mutex<Vec<&'static str>>>,
        }
        struct Dropped(Scene);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.log.lock().unwrap().push("dropped");
            }
        }
        async fn work(State(scene): State<Scene>) -> StatusCode {
            let _dropped = Dropped(scene.clone());
            scene.begun.send(()).await.unwrap();
            scene.stop.cancelled().await;
            // A server that waits for nothing has stopped after so many turns.
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            scene.log.lock().unwrap().push("done");
            StatusCode::OK
        }
        let dir = tempfile::tempdir().unwrap();
        let server = open(dir.path()).await;
        let (begun, mut begins) = mpsc::channel(1);
        let scene = Scene { begun, stop: CancellationToken::new(), log: Arc::default() };
        let mut client = UnixStream::connect(server.socket().unwrap()).await.unwrap();
        client.write_all(b"POST / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let router = Router::new().route("/", routing::post(work)).with_state(scene.clone());
        let leave = async {
            begins.recv().await.unwrap();
            client.shutdown().await.unwrap();
            assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0, "the connection is given up, without an answer");
            scene.log.lock().unwrap().push("gone");
            scene.stop.cancel();
        };
        let serve = async {
            server.answer(router, scene.stop.clone()).await;
            scene.log.lock().unwrap().push("stopped");
        };
        tokio::join!(serve, leave);
        assert_eq!(*scene.log.lock().unwrap(), ["gone", "done", "dropped", "stopped"]);
    }

    #[test]
    fn one_user_does_not_take_all_connections() {
        let users = Users::default();
        let taken: Vec<_> = (0..3).map(|_| users.take(Some(7), 3).unwrap()).collect();
        assert!(users.take(Some(7), 3).is_none());
        assert!(users.take(Some(8), 3).is_some() && users.take(None, 0).is_some());
        drop(taken);
        assert!(users.take(Some(7), 3).is_some());
        assert!(users.counts().is_empty(), "nothing is kept of who is gone");
    }

    #[tokio::test]
    async fn loopback_connections_that_never_end_keep_nobody_out_of_the_unix_socket() {
        let dir = tempfile::tempdir().unwrap();
        let server = Server { unix_connections: 4, tcp_connections: 2, ..open(dir.path()).await };
        let (socket, address) = (server.socket().unwrap().to_owned(), server.address().unwrap());
        let stop = CancellationToken::new();
        let router = Router::new().route("/", routing::get(|| async { "yes" }));
        let serving = tokio::spawn(server.answer(router, stop.clone()));
        // Answered, and then held.
        async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> impl Sized {
            let mut word = [0; 12];
            stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
            let answer = tokio::time::timeout(Duration::from_secs(60), stream.read_exact(&mut word)).await;
            answer.expect("an answer").unwrap();
            assert_eq!(&word, b"HTTP/1.1 200");
            stream
        }
        let mut strangers = Vec::new();
        for _ in 0..2 {
            strangers.push(ask(TcpStream::connect(address).await.unwrap()).await);
        }
        // One more, which the kernel takes and nobody answers.
        let late = TcpStream::connect(address).await.unwrap();
        let mut trainers = Vec::new();
        for _ in 0..2 {
            trainers.push(ask(UnixStream::connect(&socket).await.unwrap()).await);
        }
        drop((strangers, late, trainers));
        stop.cancel();
        serving.await.unwrap();
    }
}
