//! A client's connection: its requests one after the other, each passed on with what the plan does to it.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time,
};

use super::{
    Shared,
    body::{Body, Piece},
    head::{self, Framing, Request, Response, Rest},
    plan::{Decider, Fault, Verdict},
};

/// What becomes of the client's connection behind an exchange.
#[derive(Debug, PartialEq, Eq)]
enum After {
    /// The next request may come.
    Keep,
    /// It is closed in good order.
    Close,
    /// It is reset, so that the client sees `connection reset by peer`.
    Reset,
}

/// Takes connections for ever.
pub(super) async fn serve(listener: TcpListener, upstream: SocketAddr, shared: Shared) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    loop {
        // A connection that is gone before it is taken is no reason to stop.
        if let Ok((client, _)) = listener.accept().await {
            tokio::spawn(connection(client, upstream, shared.clone()));
        }
    }
}

/// Serves a client until one side ends. An error of either side ends it without a word, as a broken network would.
async fn connection(mut client: TcpStream, upstream: SocketAddr, shared: Shared) {
    let _ = client.set_nodelay(true);
    let mut rest = Rest::new();
    loop {
        match exchange(&mut client, &mut rest, upstream, &shared).await {
            Ok(After::Keep) => {}
            Ok(After::Close) => {
                let _ = client.shutdown().await;
                return;
            }
            Ok(After::Reset) | Err(_) => {
                let _ = client.set_zero_linger();
                return;
            }
        }
    }
}

async fn exchange(client: &mut TcpStream, rest: &mut Rest, upstream: SocketAddr, shared: &Shared) -> io::Result<After> {
    let Some(raw) = head::read(client, rest).await? else { return Ok(After::Close) };
    let request = Request::parse(&raw)?;
    let Verdict { delay, fault, place } = shared.with(|d| d.decide(&request.method, &request.target));
    let _flying = Flying(shared);
    if let Some(delay) = delay {
        shared.with(|d| d.injected(&Fault::Delay(delay)));
        time::sleep(delay).await;
    }
    match fault {
        Some(fault @ Fault::SlowDown { retry_after }) => {
            shared.with(|d| d.injected(&fault));
            slow_down(client, rest, &request, retry_after, shared).await
        }
        Some(fault @ Fault::ResetBeforeRequest) => {
            shared.with(|d| d.injected(&fault));
            Ok(After::Reset)
        }
        fault => {
            let server = TcpStream::connect(upstream).await?;
            server.set_nodelay(true)?;
            let exchange = Exchange { request: &request, fault: fault.as_ref(), place, shared };
            exchange.run(client, rest, server, &raw).await
        }
    }
}

/// A request on the way, until it has ended in whatever way.
struct Flying<'a>(&'a Shared);

impl Drop for Flying<'_> {
    fn drop(&mut self) {
        self.0.with(Decider::ended);
    }
}

/// What S3 answers when a prefix gets too many requests.
async fn slow_down(
    client: &mut TcpStream,
    rest: &mut Rest,
    request: &Request,
    retry_after: Option<u32>,
    shared: &Shared,
) -> io::Result<After> {
    // A client that waits to be asked for the body is answered instead, and its connection is of no more use.
    let keep = !request.expects_continue;
    if keep {
        let mut body = Body::new(request.framing);
        while body.next(client, rest).await?.is_some() {}
    }
    let xml = r#"<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message><RequestId>0</RequestId></Error>"#;
    let (xml, length) = if request.method == "HEAD" { ("", 0) } else { (xml, xml.len()) };
    let asked = retry_after;
    let retry_after = retry_after.map(|s| format!("Retry-After: {s}\r\n")).unwrap_or_default();
    let connection = if keep { "keep-alive" } else { "close" };
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/xml\r\nConnection: {connection}\r\n\
         {retry_after}Content-Length: {length}\r\n\r\n{xml}"
    );
    if let Some(seconds) = asked {
        shared.with(|d| d.quiet(seconds));
    }
    client.write_all(answer.as_bytes()).await?;
    Ok(if keep { After::Keep } else { After::Close })
}

/// One request passed on and its answer passed back.
struct Exchange<'a> {
    request: &'a Request,
    fault: Option<&'a Fault>,
    place: u16,
    shared: &'a Shared,
}

impl Exchange<'_> {
    async fn run(
        &self,
        client: &mut TcpStream,
        rest: &mut Rest,
        mut server: TcpStream,
        raw: &[u8],
    ) -> io::Result<After> {
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        to_server.write_all(raw).await?;
        // Both ways at once: the server may ask for the body, or refuse it before it has all come.
        let up = self.request_body(&mut from_client, rest, &mut to_server);
        let down = self.response(&mut from_server, &mut to_client);
        tokio::pin!(up, down);
        tokio::select! {
            sent = &mut up => {
                sent?;
                down.await
            }
            // A reset is not held up by what the client would still send; after an answer the connection is
            // clean only when the request was read to its end.
            after = &mut down => match after? {
                After::Keep => up.await.map(|()| After::Keep),
                after => Ok(after),
            },
        }
    }

    async fn request_body(
        &self,
        client: &mut (impl AsyncRead + Unpin),
        rest: &mut Rest,
        server: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        let mut strike = Strike::new(self.request.framing, self.place);
        let mut body = Body::new(self.request.framing);
        let mut open = true;
        while let Some(mut piece) = body.next(client, rest).await? {
            if self.fault == Some(&Fault::CorruptRequest) && strike.flip(&mut piece) {
                self.injected();
            }
            // A server that has answered need not read on; the client's bytes are read all the same.
            open = open && server.write_all(&piece.bytes).await.is_ok();
        }
        Ok(())
    }

    async fn response(
        &self,
        server: &mut (impl AsyncRead + Unpin),
        client: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<After> {
        let mut rest = Rest::new();
        let (raw, response) = loop {
            let raw = head::read(server, &mut rest).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let response = Response::parse(&raw, &self.request.method)?;
            if response.status >= 200 {
                break (raw, response);
            }
            client.write_all(&raw).await?;
        };
        if self.fault == Some(&Fault::ResetBeforeResponse) {
            // All of it, so that the server is through with the request.
            let mut body = Body::new(response.framing);
            while body.next(server, &mut rest).await?.is_some() {}
            self.injected();
            return Ok(After::Reset);
        }
        client.write_all(&raw).await?;
        let after = self.response_body(server, &mut rest, client, response.framing).await?;
        client.flush().await?;
        Ok(after)
    }

    async fn response_body(
        &self,
        server: &mut (impl AsyncRead + Unpin),
        rest: &mut Rest,
        client: &mut (impl AsyncWrite + Unpin),
        framing: Framing,
    ) -> io::Result<After> {
        let mut strike = Strike::new(framing, self.place);
        let mut body = Body::new(framing);
        while let Some(mut piece) = body.next(server, rest).await? {
            match self.fault {
                Some(Fault::CorruptResponse) if strike.flip(&mut piece) => self.injected(),
                Some(fault @ (Fault::ResetDuringResponse | Fault::TruncateResponse)) => {
                    if let Some(at) = strike.at(&piece) {
                        client.write_all(piece.bytes.get(..at).unwrap_or_default()).await?;
                        client.flush().await?;
                        self.injected();
                        return Ok(if *fault == Fault::TruncateResponse { After::Close } else { After::Reset });
                    }
                }
                _ => {}
            }
            client.write_all(&piece.bytes).await?;
        }
        Ok(if framing == Framing::Close { After::Close } else { After::Keep })
    }

    fn injected(&self) {
        if let Some(fault) = self.fault {
            self.shared.with(|d| d.injected(fault));
        }
    }
}

/// Where in a body a fault strikes: once, at a place that the seed chose.
struct Strike {
    /// Bytes of content until then; none when it has struck.
    left: Option<u64>,
}

impl Strike {
    fn new(framing: Framing, place: u16) -> Self {
        // A body of unknown length is struck in its first bytes, or a short one would escape.
        let length = if let Framing::Length(length) = framing { length } else { 1 };
        let at = u128::from(length) * u128::from(place) / (1 << 16);
        Self { left: u64::try_from(at).ok() }
    }

    /// The place of the strike within the piece, if it is there.
    fn at(&mut self, piece: &Piece) -> Option<usize> {
        let left = self.left?;
        let here = piece.data.len() as u64;
        if left >= here {
            self.left = Some(left - here);
            return None;
        }
        self.left = None;
        Some(piece.data.start + usize::try_from(left).ok()?)
    }

    /// Flips a bit of the byte there.
    fn flip(&mut self, piece: &mut Piece) -> bool {
        let byte = self.at(piece).and_then(|at| piece.bytes.get_mut(at));
        byte.map(|byte| *byte ^= 0x10).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strike_hits_one_byte_wherever_the_pieces_end() {
        for place in [0, 1, 30_000, u16::MAX] {
            let mut strike = Strike::new(Framing::Length(10), place);
            let mut flipped = 0;
            for length in [3, 0, 6, 1] {
                let mut piece = Piece { bytes: vec![0; length], data: 0..length };
                strike.flip(&mut piece);
                flipped += piece.bytes.iter().filter(|b| **b != 0).count();
            }
            assert_eq!(flipped, 1, "place {place}");
        }
    }

    #[test]
    fn the_framing_of_a_chunk_is_never_struck() {
        let mut strike = Strike::new(Framing::Chunked, 0);
        let mut size = Piece { bytes: b"4\r\n".to_vec(), data: 0..0 };
        assert!(!strike.flip(&mut size));
        let mut data = Piece { bytes: vec![0; 4], data: 0..4 };
        assert!(strike.flip(&mut data));
    }
}
