//! A body read piece by piece, whatever its framing, each piece as it came and with its data marked.

use std::{io, ops::Range};

use tokio::io::{AsyncRead, AsyncReadExt};

use super::head::{Framing, Rest, invalid};

/// Bytes to pass on: all of `bytes`, of which `data` is content and the rest is framing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    pub(super) data: Range<usize>,
}

impl Piece {
    fn framing(bytes: Vec<u8>) -> Self {
        Self { bytes, data: 0..0 }
    }

    fn content(bytes: Vec<u8>) -> Self {
        let data = 0..bytes.len();
        Self { bytes, data }
    }
}

/// A body on its way. Bytes behind its end stay in the rest.
#[derive(Debug)]
pub(super) struct Body {
    framing: Framing,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// So much content until the body's or the chunk's end.
    Data(u64),
    /// A chunk's size is next.
    Size,
    /// The line end behind a chunk is next.
    Gap,
    /// Lines up to an empty one are next.
    Trailer,
    Done,
}

impl Body {
    pub(super) fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Length(0) => State::Done,
            Framing::Length(n) => State::Data(n),
            Framing::Close => State::Data(u64::MAX),
            Framing::Chunked => State::Size,
        };
        Self { framing, state }
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// When the connection ends inside the body, or the chunks are not well formed.
    pub(super) async fn next(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        rest: &mut Rest,
    ) -> io::Result<Option<Piece>> {
        match self.state {
            State::Done => Ok(None),
            State::Data(left) => {
                if rest.is_empty() && stream.read_buf(rest).await? == 0 {
                    self.state = State::Done;
                    let ended = self.framing == Framing::Close;
                    return if ended { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
                }
                let take = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let behind = rest.split_off(take);
                let piece = Piece::content(std::mem::replace(rest, behind));
                self.state = match (left - take as u64, self.framing) {
                    (0, Framing::Chunked) => State::Gap,
                    (0, _) => State::Done,
                    (left, _) => State::Data(left),
                };
                Ok(Some(piece))
            }
            State::Size => {
                let line = line(stream, rest).await?;
                let Ok(httparse::Status::Complete((_, size))) = httparse::parse_chunk_size(&line) else {
                    return Err(invalid("a chunk without a size"));
                };
                self.state = if size == 0 { State::Trailer } else { State::Data(size) };
                Ok(Some(Piece::framing(line)))
            }
            State::Gap => {
                self.state = State::Size;
                line(stream, rest).await.map(|line| Some(Piece::framing(line)))
            }
            State::Trailer => {
                let line = line(stream, rest).await?;
                if line == b"\r\n" {
                    self.state = State::Done;
                }
                Ok(Some(Piece::framing(line)))
            }
        }
    }
}

/// A line with its end.
async fn line(stream: &mut (impl AsyncRead + Unpin), rest: &mut Rest) -> io::Result<Vec<u8>> {
    loop {
        if let Some(end) = rest.iter().position(|b| *b == b'\n') {
            let behind = rest.split_off(end + 1);
            return Ok(std::mem::replace(rest, behind));
        }
        if stream.read_buf(rest).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(framing: Framing, input: &[u8]) -> io::Result<(Vec<u8>, Vec<u8>, Rest)> {
        let (mut stream, mut rest) = (input, Rest::new());
        let (mut all, mut data) = (Vec::new(), Vec::new());
        let mut body = Body::new(framing);
        while let Some(piece) = body.next(&mut stream, &mut rest).await? {
            data.extend_from_slice(&piece.bytes[piece.data]);
            all.extend_from_slice(&piece.bytes);
        }
        rest.extend_from_slice(stream);
        Ok((all, data, rest))
    }

    #[tokio::test]
    async fn a_body_of_a_known_length_ends_there() {
        let (all, data, rest) = read(Framing::Length(4), b"bodynext").await.unwrap();
        assert_eq!((all.as_slice(), data.as_slice(), rest.as_slice()), (&b"body"[..], &b"body"[..], &b"next"[..]));
        assert!(read(Framing::Length(9), b"body").await.is_err());
    }

    #[tokio::test]
    async fn chunks_pass_as_they_came_and_their_data_is_known() {
        let input = b"3;ext=1\r\nbod\r\n1\r\ny\r\n0\r\nx-sum: 1\r\n\r\nnext";
        let (all, data, rest) = read(Framing::Chunked, input).await.unwrap();
        assert_eq!(all, &input[..input.len() - 4]);
        assert_eq!((data.as_slice(), rest.as_slice()), (&b"body"[..], &b"next"[..]));
    }

    #[tokio::test]
    async fn a_body_without_a_length_ends_with_the_connection() {
        let (_, data, _) = read(Framing::Close, b"all of it").await.unwrap();
        assert_eq!(data, b"all of it");
    }
}
