//! A host that does what a test tells it to: real sockets, canned answers. The real host can't be made to misbehave.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tidegate_client::{Address, Client, Options};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};

/// What to do with one request.
#[derive(Clone)]
pub(crate) enum Reply {
    /// Send these bytes.
    Raw(String),
    /// Hang up without a word.
    HangUp,
    /// Send these bytes, then hang up.
    Last(String),
    /// Say nothing, ever.
    Silence,
}

/// `HTTP/1.1 <status>` with a body.
pub(crate) fn answer(status: &str, body: &str) -> Reply {
    Reply::Raw(text(status, body))
}

pub(crate) fn text(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

pub(crate) struct Host {
    dir: tempfile::TempDir,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) requests: Arc<AtomicUsize>,
}

impl Host {
    /// Answers the first request with the first reply, and so on over all connections; hangs up after the last.
    pub(crate) fn start(script: Vec<Reply>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("s")).unwrap();
        let host = Self { dir, connections: Arc::default(), requests: Arc::default() };
        let (connections, requests) = (Arc::clone(&host.connections), Arc::clone(&host.requests));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, script.clone(), Arc::clone(&requests)));
            }
        });
        host
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    pub(crate) fn client(&self, options: Options) -> Client {
        Client::with(Address::Unix(self.socket()), options)
    }

    pub(crate) fn seen(&self) -> (usize, usize) {
        (self.connections.load(Ordering::SeqCst), self.requests.load(Ordering::SeqCst))
    }
}

async fn serve(mut stream: UnixStream, script: Vec<Reply>, requests: Arc<AtomicUsize>) {
    while read_request(&mut stream).await {
        let nth = requests.fetch_add(1, Ordering::SeqCst);
        match script.get(nth).cloned().unwrap_or(Reply::HangUp) {
            Reply::Raw(bytes) => stream.write_all(bytes.as_bytes()).await.unwrap(),
            Reply::Last(bytes) => {
                stream.write_all(bytes.as_bytes()).await.unwrap();
                return;
            }
            Reply::HangUp => return,
            Reply::Silence => std::future::pending().await,
        }
    }
}

async fn read_request(stream: &mut UnixStream) -> bool {
    let mut seen = Vec::new();
    loop {
        let head = seen.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(head) = head {
            let text = String::from_utf8_lossy(&seen[..head]).to_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if seen.len() >= head + 4 + length.unwrap_or(0_usize) {
                return true;
            }
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return false,
            Ok(read) => seen.extend_from_slice(&piece[..read]),
        }
    }
}
