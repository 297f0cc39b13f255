//! The small versioned wrapper around what is written as a whole: a shard's body, a checkpoint's marker.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use tidegate_core::{Digest, Metrics, cbor, limits};

use crate::pack::{PACKS, Packed};

/// The format's version where no packs are spoken of.
const PLAIN: u32 = 1;
/// The format's version where they are: a host that knows only files must not look for them.
const PACKED: u32 = 2;
/// Bytes that one pack takes in it, at most.
const PACK: usize = 96;
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
    /// The packs of a shard whose files are not objects of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) packed: Option<Packed>,
    /// Of all the above.
    seal: Digest,
    /// The CBOR of what is inside.
    pub(crate) payload: Blob,
}

impl Envelope {
    /// Around a payload about which nothing is said.
    pub(crate) fn plain(payload: Vec<u8>) -> Result<Self, String> {
        Self::new(payload, String::new(), Metrics::default(), None)
    }

    pub(crate) fn new(
        payload: Vec<u8>,
        note: String,
        metrics: Metrics,
        packed: Option<Packed>,
    ) -> Result<Self, String> {
        let digest = Digest::of(&payload);
        let seal = seal(&note, &metrics, digest, packed.as_ref())?;
        let version = if packed.is_some() { PACKED } else { PLAIN };
        Ok(Self { version, note, metrics, digest, packed, seal, payload: Blob(payload) })
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, String> {
        cbor::encode(self).map_err(|error| error.to_string())
    }

    /// Reads an envelope; trusts nothing.
    pub(crate) fn decode(bytes: &[u8], payload_bytes: usize) -> Result<Self, String> {
        let envelope: Self =
            cbor::decode(bytes, largest(payload_bytes)).map_err(|error| format!("no envelope: {error}"))?;
        let version = if envelope.packed.is_some() { PACKED } else { PLAIN };
        if envelope.version != version {
            return Err(format!(
                "version {}, and this host reads versions up to {PACKED}: upgrade it",
                envelope.version
            ));
        }
        envelope.packed.as_ref().map_or(Ok(()), Packed::check)?;
        if envelope.note.len() > NOTE_BYTES || envelope.note.chars().any(char::is_control) {
            return Err("its note is no short text".into());
        }
        if envelope.payload.0.len() > payload_bytes {
            return Err(format!("{} bytes of payload", envelope.payload.0.len()));
        }
        let Self { note, metrics, digest, packed, .. } = &envelope;
        if Digest::of(&envelope.payload.0) != *digest || seal(note, metrics, *digest, packed.as_ref())? != envelope.seal
        {
            return Err("it does not have its digest".into());
        }
        Ok(envelope)
    }
}

fn seal(note: &str, metrics: &Metrics, digest: Digest, packed: Option<&Packed>) -> Result<Digest, String> {
    let said = match packed {
        Some(packed) => cbor::encode(&(PACKED, note, metrics, digest, packed)),
        None => cbor::encode(&(PLAIN, note, metrics, digest)),
    };
    said.map(|said| Digest::of(&said)).map_err(|error| error.to_string())
}

/// The most bytes that an envelope of a payload of so many bytes takes.
pub(crate) const fn largest(payload_bytes: usize) -> usize {
    payload_bytes + AROUND + PACKS * PACK
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
    use crate::pack::{Based, Entry};

    fn envelope(payload: Vec<u8>, note: &str, loss: f64) -> Envelope {
        let metrics =
            Metrics::try_from([("loss".to_owned(), loss)].into_iter().collect::<std::collections::BTreeMap<_, _>>());
        Envelope::new(payload, note.into(), metrics.unwrap(), None).unwrap()
    }

    fn packed(chain: u32) -> Packed {
        let packs = vec![Entry { digest: Digest::of(b"pack"), size: 1000, index: 100 }];
        Packed { packs, base: Some(Based { step: 3.try_into().unwrap(), body: Digest::of(b"body"), chain }) }
    }

    #[test]
    fn packs_are_sealed_and_need_a_host_that_knows_them() {
        let made = |packed| Envelope::new(vec![1, 2], "x".into(), Metrics::default(), Some(packed)).unwrap();
        let good = made(packed(2));
        assert_eq!(Envelope::decode(&good.encode().unwrap(), 100), Ok(good.clone()));
        assert_eq!(good.version, PACKED);
        let lies: [fn(&mut Envelope); 3] =
            [|it| it.packed = Some(packed(3)), |it| it.packed = None, |it| it.version = PLAIN];
        for (nth, lie) in lies.iter().enumerate() {
            let mut bad = good.clone();
            lie(&mut bad);
            assert!(Envelope::decode(&bad.encode().unwrap(), 100).is_err(), "lie {nth}");
        }
        assert!(Envelope::decode(&made(packed(1000)).encode().unwrap(), 100).is_err(), "an endless chain");
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
