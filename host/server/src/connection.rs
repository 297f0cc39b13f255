//! One connection: HTTP/1.1 with keep-alive.

use std::{convert::Infallible, time::Duration};

use axum::{body::Body, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::Watcher,
};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{answer::Answers, http::Peer};

/// For a request's head to arrive over TCP, and the longest that a connection there may be idle. A Unix socket has no
/// such bound: a trainer may keep its connection from one save to the next.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
const HEAD_BYTES: usize = 32 << 10;

/// Answers requests until the peer goes, or until the request in progress when the server stops is answered.
pub(crate) async fn serve<S>(stream: S, peer: Peer, answers: Answers, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let answers = answers.clone();
        async move { Ok::<_, Infallible>(answers.answer(peer, request.map(Body::new)).await) }
    });
    let mut http = http1::Builder::new();
    let head_timeout = matches!(peer, Peer::Tcp(_)).then_some(HEAD_TIMEOUT);
    http.timer(TokioTimer::new()).header_read_timeout(head_timeout).max_header_size(HEAD_BYTES);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, ?peer, "connection ended");
    }
}
