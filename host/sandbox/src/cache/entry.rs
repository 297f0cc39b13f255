//! One component's code for one engine: its name, and its form in a file.
//!
//! A file is `TGcode` and a version, an authenticator, and the code. The authenticator is keyed BLAKE3 over what the
//! entry is of and the code, so an entry under another one's name is as wrong as a changed one.

use tidegate_core::Digest;

use super::key::Key;

/// The start of a file. Another form gets another version.
const MAGIC: [u8; 8] = *b"TGcode\0\x01";
/// Bytes before the code.
const HEAD: usize = 8 + 32;

/// What an entry is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The digest of the component's bytes.
    pub(crate) component: Digest,
    /// The hash of the engine: see [`crate::engine::hash`].
    pub(crate) engine: [u8; 32],
}

impl Entry {
    /// The name of its file.
    pub(super) fn name(&self) -> String {
        let engine = blake3::Hash::from_bytes(self.engine).to_hex();
        format!("{}-{}.code", self.component, engine.get(..16).unwrap_or_default())
    }

    /// Whether a file is an entry, of whatever.
    pub(super) fn is_name(name: &str) -> bool {
        name.ends_with(".code")
    }

    /// What stands before the code.
    pub(super) fn seal(&self, key: &Key, code: &[u8]) -> Vec<u8> {
        [MAGIC.as_slice(), self.authenticator(key, code).as_bytes()].concat()
    }

    /// The code in a file, if it is this entry's and was sealed with this key.
    pub(super) fn open(&self, key: &Key, mut file: Vec<u8>) -> Option<Vec<u8>> {
        let (head, code) = file.split_at_checked(HEAD)?;
        let (magic, sealed) = head.split_first_chunk::<8>()?;
        let sealed = blake3::Hash::from_slice(sealed).ok()?;
        // Of two `blake3::Hash`es, equality takes the same time wherever they differ.
        if *magic != MAGIC || sealed != self.authenticator(key, code) {
            return None;
        }
        file.drain(..HEAD);
        Some(file)
    }

    fn authenticator(&self, key: &Key, code: &[u8]) -> blake3::Hash {
        let mut hasher = key.hasher();
        // All but the last have a fixed length, so that no two entries give the same bytes.
        hasher.update(&MAGIC).update(self.component.as_bytes()).update(&self.engine).update(code);
        hasher.finalize()
    }
}
