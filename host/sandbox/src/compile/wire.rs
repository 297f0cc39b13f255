//! What a host and its worker say to each other: one request, one reply, each with its length before it.

use std::io::{self, Read, Write};

/// The start of a request: this, whether code counts its fuel, and the component's length.
const REQUEST: [u8; 8] = *b"TGcomp\0\x01";
/// The start of a reply: this, what it is, the engine's hash, the length.
const REPLY: [u8; 8] = *b"TGcode\0\x01";
/// Bytes before a reply's payload.
const HEAD: usize = 8 + 1 + 32 + 8;

/// What a worker has to say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// Code for the engine of this hash.
    Code([u8; 32], Vec<u8>),
    /// The component is none.
    Invalid(String),
    /// The memory was not enough.
    OutOfMemory,
}

/// The bytes before the component.
pub(super) fn request_head(metered: bool, component: usize) -> Vec<u8> {
    [REQUEST.as_slice(), &[u8::from(metered)], &(component as u64).to_le_bytes()].concat()
}

/// Reads a request: whether code counts its fuel, and the component, of at most `most` bytes.
pub(super) fn read_request(from: &mut impl Read, most: usize) -> io::Result<(bool, Vec<u8>)> {
    let (mut magic, mut metered, mut length) = ([0; 8], [0; 1], [0; 8]);
    from.read_exact(&mut magic)?;
    from.read_exact(&mut metered)?;
    from.read_exact(&mut length)?;
    let length = usize::try_from(u64::from_le_bytes(length)).ok().filter(|length| *length <= most);
    let (REQUEST, Some(length)) = (magic, length) else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "this is a tidegate host's own; it is no command"));
    };
    let mut component = Vec::new();
    component.try_reserve_exact(length)?;
    component.resize(length, 0);
    from.read_exact(&mut component)?;
    Ok((metered == [1], component))
}

/// Writes a reply.
pub(super) fn write_reply(to: &mut impl Write, reply: &Reply) -> io::Result<()> {
    let (kind, engine, payload) = match reply {
        Reply::Code(engine, code) => (0, *engine, code.as_slice()),
        Reply::Invalid(why) => (1, [0; 32], why.as_bytes()),
        Reply::OutOfMemory => (2, [0; 32], [].as_slice()),
    };
    to.write_all(&REPLY)?;
    to.write_all(&[kind])?;
    to.write_all(&engine)?;
    to.write_all(&(payload.len() as u64).to_le_bytes())?;
    to.write_all(payload)?;
    to.flush()
}

/// The reply in what a worker wrote; none if it is not a whole one and nothing else.
pub(super) fn parse_reply(mut bytes: Vec<u8>) -> Option<Reply> {
    let head = bytes.get(..HEAD)?;
    let (magic, rest) = head.split_first_chunk::<8>()?;
    let (kind, rest) = rest.split_first()?;
    let (engine, rest) = rest.split_first_chunk::<32>()?;
    let length = u64::from_le_bytes(*rest.first_chunk::<8>()?);
    let (kind, engine) = (*kind, *engine);
    if *magic != REPLY || usize::try_from(length).ok()? != bytes.len() - HEAD {
        return None;
    }
    bytes.drain(..HEAD);
    match kind {
        0 => Some(Reply::Code(engine, bytes)),
        1 => String::from_utf8(bytes).ok().map(Reply::Invalid),
        2 if bytes.is_empty() => Some(Reply::OutOfMemory),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_arrives_whole_or_not_at_all() {
        let sent = [request_head(true, 5).as_slice(), b"bytes"].concat();
        assert_eq!(read_request(&mut sent.as_slice(), 5).unwrap(), (true, b"bytes".to_vec()));
        assert!(read_request(&mut sent.as_slice(), 4).is_err(), "more than it takes");
        for cut in 0..sent.len() {
            assert!(read_request(&mut &sent[..cut], 5).is_err(), "{cut}");
        }
        assert!(read_request(&mut b"a person types something".as_slice(), 1000).is_err());
    }

    #[test]
    fn a_reply_arrives_whole_or_not_at_all() {
        for reply in
            [Reply::Code([7; 32], vec![1; 100]), Reply::Invalid("it ends after 8 bytes".into()), Reply::OutOfMemory]
        {
            let mut sent = Vec::new();
            write_reply(&mut sent, &reply).unwrap();
            assert_eq!(parse_reply(sent.clone()).as_ref(), Some(&reply));
            for cut in 0..sent.len() {
                assert_eq!(parse_reply(sent[..cut].to_vec()), None, "{cut}");
            }
            assert_eq!(parse_reply([sent.as_slice(), b"!"].concat()), None);
            for other in [3, 255] {
                sent[8] = other;
                assert_eq!(parse_reply(sent.clone()), None);
            }
        }
    }
}
