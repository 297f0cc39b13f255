//! Compiled components, kept from one start to the next.
//!
//! Loading machine code trusts it entirely, so an entry counts only if this host wrote it: each is authenticated by
//! keyed BLAKE3 with a key that the host made for itself. That finds what the disk changed, what was cut off, what came
//! with a backup of another host, and whatever somebody copied here; it is no defence against who may read the
//! directory, which is the host's own user and root. An entry that is not right is removed and compiled again, and so is
//! one that can't be written: the cache never stands in the way of a start.

mod bound;
mod dir;
mod entry;
mod key;
mod put;

use std::path::PathBuf;

use dir::{Dir, Read};
pub(crate) use entry::Entry;
use key::Key;

use crate::{Error, compile::Code};

/// Where compiled components are kept, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheOptions {
    /// A directory for nothing else. It is made if it is missing; its parent is not. What is in it belongs to the
    /// sandbox, which gives it the mode 0700.
    pub dir: PathBuf,
    /// Bytes in it; what was used least lately goes first. Default = 1 GiB.
    pub bytes: u64,
    /// Components in it. Default = 256.
    pub entries: usize,
}

impl CacheOptions {
    /// In this directory, with the default bounds.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), bytes: 1 << 30, entries: 256 }
    }
}

/// The cache of one host.
#[derive(Debug)]
pub(crate) struct Cache {
    dir: Dir,
    key: Key,
    options: CacheOptions,
}

impl Cache {
    /// Opens it, and clears what a killed host left half written.
    ///
    /// # Errors
    /// [`Error::Cache`] for a directory that can't be made or used, or belongs to somebody else.
    pub(crate) fn open(options: &CacheOptions) -> Result<Self, Error> {
        let failed =
            |what: &str, error: std::io::Error| Error::Cache(format!("{what} {}: {error}", options.dir.display()));
        let dir = Dir::open(&options.dir).map_err(|e| failed("can't use", e))?;
        // One at a time: what is half written may be the key of another that is being opened.
        let opening = dir.lock().map_err(|e| failed("can't lock", e))?;
        put::sweep(&dir).map_err(|e| failed("can't clear", e))?;
        let key = Key::of(&dir).map_err(|e| failed("can't make the key in", e))?;
        drop(opening);
        Ok(Self { dir, key, options: options.clone() })
    }

    /// Code that this host kept for this component and this engine.
    pub(crate) fn get(&self, entry: &Entry) -> Option<Code> {
        let name = entry.name();
        let why = match self.dir.read(&name, self.options.bytes) {
            Ok(Read::Absent) => return None,
            Ok(Read::Bytes(file)) => match entry.open(&self.key, file) {
                Some(code) => {
                    self.dir.touch(&name);
                    return Some(Code::of_cache(code));
                }
                None => "it is damaged, or not written by this host".to_owned(),
            },
            Ok(Read::Other(what)) => what.to_owned(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(component = %entry.component, why, "kept code is removed; the component is compiled again");
        self.remove(entry);
        None
    }

    /// Keeps code. Durable when this returns, if there is room.
    pub(crate) fn keep(&self, entry: &Entry, code: &Code) {
        let name = entry.name();
        let head = entry.seal(&self.key, code.bytes());
        let bytes = head.len() as u64 + code.bytes().len() as u64;
        let kept = if bytes > self.options.bytes {
            Err(std::io::Error::other(format!("{bytes} bytes are more than the cache takes")))
        } else {
            put::put(&self.dir, &name, &[&head, code.bytes()]).and_then(|()| self.bound(&name))
        };
        if let Err(error) = kept {
            tracing::warn!(component = %entry.component, %error, "code is not kept; the next start compiles it again");
        }
    }

    /// Removes an entry, if it is there.
    pub(crate) fn remove(&self, entry: &Entry) {
        if let Err(error) = self.dir.remove(&entry.name()) {
            tracing::warn!(component = %entry.component, %error, "kept code could not be removed");
        }
    }

    /// Makes room, at the cost of every entry but this one.
    fn bound(&self, newest: &str) -> std::io::Result<()> {
        let kept: Vec<_> = self.dir.list()?.into_iter().filter(|file| Entry::is_name(&file.name)).collect();
        for name in bound::plan(kept, newest, self.options.bytes, self.options.entries) {
            self.dir.remove(&name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
