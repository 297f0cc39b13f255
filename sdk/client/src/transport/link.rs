//! One connection. Its driver is not spawned: the task that waits for an answer moves the bytes, which saves two thread
//! hops for a call and leaves nothing running behind the caller's back.

use std::{
    future::{Future, poll_fn},
    io,
    os::fd::{AsFd, OwnedFd},
    pin::{Pin, pin},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Body, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};

use crate::Address;

/// For the connection to come about; the host is on this machine.
const CONNECT: Duration = Duration::from_secs(5);
/// The largest answer that is taken.
const ANSWER_BYTES: usize = 256 << 20;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

type Io = TokioIo<Box<dyn Stream>>;
type Driver = Pin<Box<http1::Connection<Io, Full<Bytes>>>>;

/// A connection to the host.
pub(crate) struct Link {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Option<Driver>,
    /// The same socket, to look whether the host has hung up.
    socket: OwnedFd,
}

/// The connection did not bring an answer.
#[derive(Debug)]
pub(crate) struct Lost(pub(crate) String);

impl From<hyper::Error> for Lost {
    fn from(error: hyper::Error) -> Self {
        use std::error::Error as _;
        Self(error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}")))
    }
}

impl Link {
    /// Connects.
    pub(crate) async fn open(address: &Address) -> io::Result<Self> {
        let connect = async {
            Ok::<_, io::Error>(match address {
                Address::Unix(path) => {
                    let stream = UnixStream::connect(path).await?;
                    let socket = stream.as_fd().try_clone_to_owned()?;
                    (Box::new(stream) as Box<dyn Stream>, socket)
                }
                Address::Tcp(address) => {
                    let stream = TcpStream::connect(address).await?;
                    stream.set_nodelay(true)?;
                    let socket = stream.as_fd().try_clone_to_owned()?;
                    (Box::new(stream) as Box<dyn Stream>, socket)
                }
            })
        };
        let (stream, socket) = tokio::time::timeout(CONNECT, connect).await.map_err(|_| io::ErrorKind::TimedOut)??;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        Ok(Self { sender, driver: Some(Box::pin(driver)), socket })
    }

    /// Whether an idle connection still stands. Asks the kernel: what tokio knows may be older.
    pub(crate) fn stands(&self) -> bool {
        use rustix::net::{RecvFlags, recv};
        let silent = recv(&self.socket, &mut [0_u8; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        self.driver.is_some()
            && !self.sender.is_closed()
            && silent.is_err_and(|error| error == rustix::io::Errno::AGAIN)
    }

    /// Whether it can take another request now.
    pub(crate) async fn settle(&mut self) -> bool {
        drive(&mut self.driver, self.sender.ready()).await.is_ok()
    }

    /// Sends a request and waits for the head of the answer.
    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Lost> {
        let answer = self.sender.send_request(request);
        Ok(drive(&mut self.driver, answer).await?)
    }

    /// The next piece of a body; `None` at its end.
    pub(crate) async fn piece(&mut self, body: &mut Incoming) -> Result<Option<Bytes>, Lost> {
        loop {
            match drive(&mut self.driver, body.frame()).await {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(data) = frame?.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// The whole of a body.
    pub(crate) async fn collect(&mut self, mut body: Incoming) -> Result<Bytes, Lost> {
        let Some(first) = self.piece(&mut body).await? else { return Ok(Bytes::new()) };
        if body.is_end_stream() {
            return Ok(first);
        }
        let mut whole = BytesMut::from(first);
        while let Some(piece) = self.piece(&mut body).await? {
            if whole.len() + piece.len() > ANSWER_BYTES {
                return Err(Lost(format!("the answer has more than {ANSWER_BYTES} bytes")));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }
}

/// Moves the connection's bytes while `work` waits for them.
async fn drive<T>(driver: &mut Option<Driver>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|context| {
        // Its own result tells nothing more: an error also reaches `work`.
        if driver.as_mut().is_some_and(|driver| driver.as_mut().poll(context).is_ready()) {
            *driver = None;
        }
        work.as_mut().poll(context)
    })
    .await
}
