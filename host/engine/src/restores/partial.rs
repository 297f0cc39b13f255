//! Where a restore is made before it lands: a directory beside the final one, of a name that nobody else has. One that is
//! not on the tier is noted in the index before it is made, so that the next start finds what a killed host left.

use std::{
    fs::{self, File},
    io,
    ops::Bound,
    os::unix::fs::{DirBuilderExt, lchown},
    path::{Path, PathBuf},
};

use tidegate_core::Code;
use tidegate_store::{Space, Tx, Writer};

use crate::{Error, Host, Result, error::blocking};

const NAME: &str = ".tidegate-partial-";
/// Keys of the index with the paths of those that may be there.
const NOTED: &str = "partial/";

/// The path for a restore of this id.
pub(super) fn path(to: &Path, id: &str) -> PathBuf {
    to.with_file_name(format!("{NAME}{id}"))
}

/// A directory that is removed unless it lands.
#[derive(Debug)]
pub(super) struct Partial {
    path: PathBuf,
    noted: Option<Noted>,
}

impl Partial {
    /// On the tier, where every start removes what is left.
    pub(super) async fn on_the_tier(path: PathBuf) -> Result<Self> {
        blocking(move || Self::create(path, None)).await
    }

    /// Anywhere else. Its name is durable in the index before it is made.
    pub(super) async fn elsewhere(host: &Host, path: PathBuf, id: &str) -> Result<Self> {
        let key = format!("{NOTED}{id}").into_bytes();
        let (at, noted) = (key.clone(), path.to_string_lossy().into_owned());
        host.0.store.index().write_async(move |tx| tx.put(Space::Meta, &at, &noted)).await?;
        let noted = Noted { host: host.clone(), key };
        blocking(move || Self::create(path, Some(noted))).await
    }

    fn create(path: PathBuf, noted: Option<Noted>) -> Result<Self> {
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => Ok(Self { path, noted }),
            Err(error) => {
                let refused = refused("create", &path, &error);
                // Not the host's failure: the directory was chosen by who asks.
                let chosen = noted.is_some() && refused.code == Code::Internal;
                if let Some(noted) = noted {
                    noted.forget();
                }
                Err(if chosen { Error::new(Code::BadRequest, format!("into: {}", refused.detail)) } else { refused })
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives all of it to who asked, before its final sync.
    pub(super) fn hand_over(&self, owner: Option<Writer>) -> Result<()> {
        let own = rustix::process::geteuid().as_raw();
        let Some(owner) = owner.filter(|owner| owner.uid != own && owner.uid != 0) else { return Ok(()) };
        // The outermost directory is the last: until then its new owner can't enter it, and not put links where a path
        // that is given away leads through.
        let (mut paths, mut todo) = (Vec::new(), vec![self.path.clone()]);
        while let Some(path) = todo.pop() {
            if path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
                let entries = fs::read_dir(&path).map_err(|error| refused("list", &path, &error))?;
                todo.extend(entries.flatten().map(|entry| entry.path()));
            }
            paths.push(path);
        }
        let give = |path: &PathBuf| {
            lchown(path, Some(owner.uid), Some(owner.gid)).map_err(|error| refused("give away", path, &error))
        };
        paths.iter().rev().try_for_each(give)
    }

    /// Durable when it returns.
    pub(super) fn land(self, to: &Path) -> Result<()> {
        let sync = |path: &Path| File::open(path).and_then(|dir| dir.sync_all());
        sync(&self.path).map_err(|error| refused("sync", &self.path, &error))?;
        if to.symlink_metadata().is_ok() {
            return Err(Error::new(Code::TargetExists, format!("{} exists", to.display())));
        }
        fs::rename(&self.path, to).map_err(|error| refused("rename", &self.path, &error))?;
        to.parent().map_or(Ok(()), sync).map_err(|error| {
            // A restore that failed leaves nothing.
            let _ = fs::remove_dir_all(to);
            refused("sync the directory above", to, &error)
        })
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %self.path.display(), %error, "a partial restore could not be removed");
                // It stays noted: the next start tries again.
            }
            _ => {
                if let Some(noted) = self.noted.take() {
                    noted.forget();
                }
            }
        }
    }
}

/// The note in the index.
#[derive(Debug)]
struct Noted {
    host: Host,
    key: Vec<u8>,
}

impl Noted {
    /// Nobody waits for it: a note of what is gone does no harm.
    fn forget(self) {
        let Self { host, key } = self;
        let at_work = host.clone();
        host.0.tasks.spawn(async move {
            let forget = move |tx: &mut Tx<'_>| {
                tx.put_bytes(Space::Meta, &key, None);
                Ok::<_, Error>(())
            };
            if let Err(error) = at_work.0.store.index().write_async(forget).await {
                tracing::debug!(%error, "a note of a partial restore stays");
            }
        });
    }
}

impl Host {
    /// Removes what restores of a host that was killed have left beside their final places.
    pub(crate) fn sweep_partials(&self) -> Result<()> {
        let (mut noted, index) = (Vec::new(), self.0.store.index());
        let from = (Bound::Included(NOTED.as_bytes()), Bound::Unbounded);
        index.view().scan(Space::Meta, from, false, |key, _| {
            let is_one = key.starts_with(NOTED.as_bytes());
            noted.extend(is_one.then(|| key.to_vec()));
            Ok(is_one)
        })?;
        for key in noted {
            let Some(path) = index.view().get::<PathBuf>(Space::Meta, &key)? else { continue };
            let ours = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(NAME));
            let removed = if ours { fs::remove_dir_all(&path) } else { Ok(()) };
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), %error, "a partial restore could not be removed");
                }
                _ => {
                    index.write(move |tx| {
                        tx.put_bytes(Space::Meta, &key, None);
                        Ok::<_, Error>(())
                    })?;
                }
            }
        }
        Ok(())
    }
}

fn refused(what: &str, path: &Path, error: &io::Error) -> Error {
    let code = if error.kind() == io::ErrorKind::StorageFull { Code::NoSpace } else { Code::Internal };
    Error::new(code, format!("could not {what} {}: {error}", path.display()))
}
