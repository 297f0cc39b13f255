//! The small versioned wrapper around what is written as a whole: a shard's body, a checkpoint's marker.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use tidegate_core::{Digest, Metrics, cbor, limits};

/// The format's version.
const VERSION: u32 = 1;
/// Bytes of `note`.
const NOTE_BYTES: usize = 256;
/// Bytes around the payload, at most: 64 metrics of a name of 64 bytes are the most of it.
const AROUND: usize = 16 << 10;

/// A payload with what is said beside it, and digests of both, so that a flipped bit is seen before anything is believed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Envelope {
    version: u32,
    /// How the bytes that the payload speaks of were verified; empty where it speaks of none.
    pub(crate) note: String,
    /// What the trainer reported with a shard. They are no part of the body: a step that is trained again gives the same
    /// bytes, whatever is measured beside them.
    pub(crate) metrics: Metrics,
    /// Of the payload.
    pub(crate) digest: Digest,
    /// Of all the above.
    seal: Digest,
    /// The CBOR of what is inside.
    pub(crate) payload: Blob,
}

impl Envelope {
    /// Around a payload about which nothing is said.
    pub(crate) fn plain(payload: Vec<u8>) -> Result<Self, String> {
        Self::new(payload, String::new(), Metrics::default())
    }

    pub(crate) fn new(payload: Vec<u8>, note: String, metrics: Metrics) -> Result<Self, String> {
        let digest = Digest::of(&payload);
        let seal = seal(&note, &metrics, digest)?;
        Ok(Self { version: VERSION, note, metrics, digest, seal, payload: Blob(payload) })
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, String> {
        cbor::encode(self).map_err(|error| error.to_string())
    }

    /// Reads an envelope; trusts nothing.
    pub(crate) fn decode(bytes: &[u8], payload_bytes: usize) -> Result<Self, String> {
        let envelope: Self =
            cbor::decode(bytes, largest(payload_bytes)).map_err(|error| format!("no envelope: {error}"))?;
        if envelope.version != VERSION {
            return Err(format!("version {}, and this host reads version {VERSION}: upgrade it", envelope.version));
        }
        if envelope.note.len() > NOTE_BYTES || envelope.note.chars().any(char::is_control) {
            return Err("its note is no short text".into());
        }
        if envelope.payload.0.len() > payload_bytes {
            return Err(format!("{} bytes of payload", envelope.payload.0.len()));
        }
        let Self { note, metrics, digest, .. } = &envelope;
        if Digest::of(&envelope.payload.0) != *digest || seal(note, metrics, *digest)? != envelope.seal {
            return Err("it does not have its digest".into());
        }
        Ok(envelope)
    }
}

fn seal(note: &str, metrics: &Metrics, digest: Digest) -> Result<Digest, String> {
    let said = cbor::encode(&(VERSION, note, metrics, digest)).map_err(|error| error.to_string())?;
    Ok(Digest::of(&said))
}

/// The most bytes that an envelope of a payload of so many bytes takes.
pub(crate) const fn largest(payload_bytes: usize) -> usize {
    payload_bytes + AROUND
}

/// The most bytes of a shard's manifest.
pub(crate) const MANIFEST_BYTES: usize = limits::BODY_BYTES;

/// Bytes as a CBOR byte string.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Blob(pub(crate) Vec<u8>);

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Blob;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a byte string")
            }
            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }
            fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Blob, E> {
                Ok(Blob(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn envelope(payload: Vec<u8>, note: &str, loss: f64) -> Envelope {
        let metrics =
            Metrics::try_from([("loss".to_owned(), loss)].into_iter().collect::<std::collections::BTreeMap<_, _>>());
        Envelope::new(payload, note.into(), metrics.unwrap()).unwrap()
    }

    #[test]
    fn an_envelope_of_another_version_is_refused_with_what_to_do() {
        let mut envelope = envelope(vec![1, 2, 3], "size", 1.5);
        envelope.version = 2;
        let refused = Envelope::decode(&envelope.encode().unwrap(), 100).unwrap_err();
        assert!(refused.contains("version 2") && refused.contains("upgrade"), "{refused}");
    }

    proptest! {
        #[test]
        fn an_envelope_survives_the_wire(payload: Vec<u8>, note in "[ -~]{0,40}", loss in -1e9..1e9) {
            let envelope = envelope(payload, &note, loss);
            prop_assert_eq!(Envelope::decode(&envelope.encode().unwrap(), 1 << 20), Ok(envelope));
        }

        #[test]
        fn a_damaged_envelope_is_refused_or_reads_the_same(payload: Vec<u8>, at: prop::sample::Index, by in 1_u8..) {
            let envelope = envelope(payload, "reread", 0.25);
            let mut bytes = envelope.encode().unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= by;
            if let Ok(read) = Envelope::decode(&bytes, 1 << 20) {
                prop_assert_eq!(read, envelope);
            }
        }

        #[test]
        fn what_is_no_envelope_is_refused(bytes: Vec<u8>) {
            prop_assert!(Envelope::decode(&bytes, 1 << 20).is_err());
        }
    }
}
