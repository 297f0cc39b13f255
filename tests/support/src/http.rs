//! One request on one connection, blocking: enough to ask a server whether it is there.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

/// A request. The connection is closed after it.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// `GET`, `PUT`, ...
    pub method: &'a str,
    /// The path, with its query.
    pub path: &'a str,
    /// The type of the body, if there is one.
    pub content_type: Option<&'a str>,
    /// Others; host and length are told anyway.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: &'a [u8],
    /// How long each read and write may take.
    pub timeout: Duration,
}

impl<'a> Request<'a> {
    /// A request without a body that may take 30 seconds a read.
    #[must_use]
    pub fn new(method: &'a str, path: &'a str) -> Self {
        Self { method, path, content_type: None, headers: &[], body: &[], timeout: Duration::from_secs(30) }
    }

    /// The same with a JSON body.
    #[must_use]
    pub fn json(self, body: &'a str) -> Self {
        Self { content_type: Some("application/json"), body: body.as_bytes(), ..self }
    }

    /// Sends it over the Unix socket at `socket`.
    ///
    /// # Errors
    /// When there is no server, or its answer is not HTTP/1.1.
    pub fn over_unix(&self, socket: &Path) -> Result<Response> {
        let stream = UnixStream::connect(socket).with_context(|| format!("connect to {}", socket.display()))?;
        stream.set_read_timeout(Some(self.timeout))?;
        stream.set_write_timeout(Some(self.timeout))?;
        self.exchange(stream, "localhost")
    }

    /// Sends it over TCP.
    ///
    /// # Errors
    /// When there is no server, or its answer is not HTTP/1.1.
    pub fn over_tcp(&self, address: SocketAddr) -> Result<Response> {
        let stream = TcpStream::connect_timeout(&address, self.timeout);
        let stream = stream.with_context(|| format!("connect to {address}"))?;
        stream.set_read_timeout(Some(self.timeout))?;
        stream.set_write_timeout(Some(self.timeout))?;
        self.exchange(stream, &address.to_string())
    }

    fn exchange(&self, mut stream: impl Read + Write, host: &str) -> Result<Response> {
        let Self { method, path, content_type, headers, body, .. } = self;
        let content_type = content_type.map(|t| ("content-type", t));
        let headers = content_type.iter().chain(*headers);
        let headers: String = headers.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n"
        );
        let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        let mut bytes = Vec::new();
        let read = stream.read_to_end(&mut bytes);
        // A server that refuses a large body answers before it has read it, and hangs up on the rest.
        if bytes.is_empty() {
            sent?;
            read.with_context(|| format!("read the answer to {method} {path}"))?;
        }
        Response::parse(&bytes)
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The `content-type`, if there is one.
    pub content_type: Option<String>,
    /// The body, whole.
    pub body: Vec<u8>,
}

impl Response {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {}", self.text()))
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(start) = head.parse(bytes)? else {
            anyhow::bail!("the answer's head is cut off")
        };
        let header = |name: &str| {
            let found = head.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name));
            found.map(|h| String::from_utf8_lossy(h.value).into_owned())
        };
        let rest = bytes.get(start..).unwrap_or_default();
        let body = if header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
            dechunk(rest)?
        } else if let Some(length) = header("content-length") {
            let length: usize = length.trim().parse().context("content-length")?;
            ensure!(rest.len() >= length, "the answer has {} of {length} bytes", rest.len());
            rest.get(..length).unwrap_or_default().to_vec()
        } else {
            rest.to_vec()
        };
        let content_type = header("content-type");
        Ok(Self { status: head.code.unwrap_or(0), content_type, body })
    }
}

fn dechunk(mut rest: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let Ok(httparse::Status::Complete((start, length))) = httparse::parse_chunk_size(rest) else {
            anyhow::bail!("the answer's chunks are cut off or wrong")
        };
        let length = usize::try_from(length)?;
        if length == 0 {
            return Ok(body);
        }
        body.extend_from_slice(rest.get(start..start + length).context("a chunk is cut off")?);
        rest = rest.get(start + length + 2..).context("a chunk's end is cut off")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_of_all_three_kinds_are_read() {
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\nhello",
        ] {
            let response = Response::parse(answer.as_bytes()).unwrap();
            assert_eq!((response.status, response.text().as_str()), (200, "hello"));
        }
    }

    #[test]
    fn a_body_cut_off_is_an_error() {
        assert!(Response::parse(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel").is_err());
        assert!(Response::parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel").is_err());
        assert!(Response::parse(b"HTTP/1.1 200").is_err());
    }
}
