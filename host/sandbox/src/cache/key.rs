//! The key that tells this host's entries from all others.

use std::{fmt, fs::File, io, io::Read as _};

use super::{
    dir::{Dir, Read},
    put,
};

/// Its file. Without it, or with another one, all entries are compiled again.
const NAME: &str = "key";

/// 32 random bytes that never leave the directory.
pub(super) struct Key([u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

impl Key {
    /// The key in a directory. One is made if there is none, or none that only this user can read. Durable when this
    /// returns.
    pub(super) fn of(dir: &Dir) -> io::Result<Self> {
        match dir.read(NAME, 1024)? {
            Read::Bytes(bytes) => {
                if let Ok(key) = bytes.try_into() {
                    return Ok(Self(key));
                }
                tracing::warn!("the key of the compiled components is damaged: all are compiled again");
            }
            Read::Other(why) => tracing::warn!(why, "the key of the compiled components is replaced"),
            Read::Absent => {}
        }
        let mut key = [0; 32];
        File::open("/dev/urandom")?.read_exact(&mut key)?;
        put::put(dir, NAME, &[&key])?;
        Ok(Self(key))
    }

    /// A hasher with this key.
    pub(super) fn hasher(&self) -> blake3::Hasher {
        blake3::Hasher::new_keyed(&self.0)
    }
}
