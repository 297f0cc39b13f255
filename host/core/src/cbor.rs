//! CBOR in and out, with a bound on what is read. Used for everything durable and everything on the mesh.

use serde::{Serialize, de::DeserializeOwned};

/// Why bytes could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More bytes than the caller allows.
    #[error("{got} bytes of CBOR where at most {max} are accepted")]
    TooLong {
        /// What came.
        got: usize,
        /// What is accepted.
        max: usize,
    },
    /// Not the CBOR of this type.
    #[error("not valid: {0}")]
    Invalid(String),
    /// Bytes behind the value.
    #[error("{0} bytes behind the value")]
    Trailing(usize),
}

/// The CBOR of a value.
///
/// # Errors
/// [`Error::Invalid`] for a value that has no CBOR form; none of the types of this crate is one.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).map_err(|e| Error::Invalid(e.to_string()))?;
    Ok(bytes)
}

/// A value from exactly these bytes, of which there may be at most `max`.
///
/// # Errors
/// Bytes that are too many, not the value, or more than the value.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], max: usize) -> Result<T, Error> {
    if bytes.len() > max {
        return Err(Error::TooLong { got: bytes.len(), max });
    }
    let mut rest = bytes;
    // Depth is bounded: a hostile document must not overflow the stack.
    let value =
        ciborium::de::from_reader_with_recursion_limit(&mut rest, 64).map_err(|e| Error::Invalid(e.to_string()))?;
    if rest.is_empty() { Ok(value) } else { Err(Error::Trailing(rest.len())) }
}
