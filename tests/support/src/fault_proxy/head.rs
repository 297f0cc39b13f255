//! The head of a request or of an answer: read, kept as it came, and understood as far as a proxy must.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// No head of S3 comes near this.
const LONGEST: usize = 64 * 1024;

/// How a body's end is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes, perhaps none.
    Length(u64),
    /// Chunks with their sizes.
    Chunked,
    /// The connection's end.
    Close,
}

/// What came of a connection but belongs to what follows.
pub(super) type Rest = Vec<u8>;

/// Reads up to the empty line. None when the connection ends before the first byte.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin), rest: &mut Rest) -> io::Result<Option<Vec<u8>>> {
    loop {
        if let Some(end) = rest.windows(4).position(|w| w == b"\r\n\r\n") {
            let behind = rest.split_off(end + 4);
            return Ok(Some(std::mem::replace(rest, behind)));
        }
        if rest.len() > LONGEST {
            return Err(invalid("a head of more than 64 KiB"));
        }
        if stream.read_buf(rest).await? == 0 {
            return if rest.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
    }
}

/// What a proxy must know of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) framing: Framing,
    /// The client sends the body only when it is asked to.
    pub(super) expects_continue: bool,
}

impl Request {
    pub(super) fn parse(head: &[u8]) -> io::Result<Self> {
        let mut headers = [httparse::EMPTY_HEADER; 128];
        let mut parsed = httparse::Request::new(&mut headers);
        parsed.parse(head).map_err(invalid)?;
        Ok(Self {
            method: parsed.method.unwrap_or_default().to_owned(),
            target: parsed.path.unwrap_or_default().to_owned(),
            framing: framing(parsed.headers)?.unwrap_or(Framing::Length(0)),
            expects_continue: value(parsed.headers, "expect").is_some(),
        })
    }
}

/// What a proxy must know of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) framing: Framing,
}

impl Response {
    /// `method` is the request's: an answer to HEAD has no body, whatever its head says.
    pub(super) fn parse(head: &[u8], method: &str) -> io::Result<Self> {
        let mut headers = [httparse::EMPTY_HEADER; 128];
        let mut parsed = httparse::Response::new(&mut headers);
        parsed.parse(head).map_err(invalid)?;
        let status = parsed.code.unwrap_or(0);
        let bodiless = method == "HEAD" || status < 200 || status == 204 || status == 304;
        let framing = framing(parsed.headers)?.unwrap_or(Framing::Close);
        Ok(Self { status, framing: if bodiless { Framing::Length(0) } else { framing } })
    }
}

fn framing(headers: &[httparse::Header<'_>]) -> io::Result<Option<Framing>> {
    if value(headers, "transfer-encoding").is_some_and(|v| v.to_ascii_lowercase().contains("chunked")) {
        return Ok(Some(Framing::Chunked));
    }
    match value(headers, "content-length") {
        Some(length) => length.trim().parse().map(|n| Some(Framing::Length(n))).map_err(invalid),
        None => Ok(None),
    }
}

fn value(headers: &[httparse::Header<'_>], name: &str) -> Option<String> {
    let header = headers.iter().find(|h| h.name.eq_ignore_ascii_case(name))?;
    Some(String::from_utf8_lossy(header.value).into_owned())
}

/// What is said of bytes that are not HTTP/1.1.
pub(super) fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_head_ends_at_the_empty_line_and_the_rest_is_kept() {
        let mut rest = Rest::new();
        let mut stream: &[u8] = b"PUT /b/k?partNumber=1 HTTP/1.1\r\nContent-Length: 4\r\n\r\nbodyGET";
        let head = read(&mut stream, &mut rest).await.unwrap().unwrap();
        assert_eq!(rest, b"bodyGET");
        let request = Request::parse(&head).unwrap();
        assert_eq!((request.method.as_str(), request.target.as_str()), ("PUT", "/b/k?partNumber=1"));
        assert_eq!((request.framing, request.expects_continue), (Framing::Length(4), false));
        rest.clear();
        assert_eq!(read(&mut stream, &mut rest).await.unwrap(), None);
    }

    #[test]
    fn an_answer_to_head_has_no_body() {
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n";
        assert_eq!(Response::parse(head, "HEAD").unwrap().framing, Framing::Length(0));
        assert_eq!(Response::parse(head, "GET").unwrap().framing, Framing::Length(9));
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(Response::parse(chunked, "GET").unwrap().framing, Framing::Chunked);
        assert_eq!(Response::parse(b"HTTP/1.1 200 OK\r\n\r\n", "GET").unwrap().framing, Framing::Close);
    }
}
