use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
    sync::{Mutex, atomic::Ordering},
};

use tidegate_core::{Rank, RunName, SaveId, Timestamp, limits};

use super::{Store, lock};
use crate::{
    Begin, Error, Result, Save, Writer,
    error::Context,
    save::{Slot, Watched},
    space,
};

impl Store {
    /// Admits a save and gives it a staging directory, owned by the writer. Nothing of it is durable: after a restart of
    /// the host, or when the writer is gone, the directory is gone as well.
    ///
    /// # Errors
    /// Numbers that contradict each other or what is committed already; no room ([`Error::NoSpace`]); too many saves.
    pub fn begin(&self, begin: Begin) -> Result<Save> {
        if !begin.world_size.holds(begin.rank) {
            return Err(Error::OutsideWorld(begin.rank, begin.world_size));
        }
        let view = self.index.view();
        if let Some(known) = view.checkpoint(&begin.run, begin.step)?
            && known.world_size != begin.world_size
            && !known.gone()
        {
            let Begin { run, step, world_size: given, .. } = begin;
            return Err(Error::OtherWorld { run, step, known: known.world_size, given });
        }
        let bytes = match begin.bytes {
            Some(bytes) => bytes,
            None => self.last_size(&begin.run, begin.rank)?,
        };
        if bytes > limits::SHARD_BYTES {
            return Err(Error::TooLarge(bytes));
        }
        self.promised.admitting(|promised| {
            self.fits(bytes, promised).map_err(|error| match error {
                Error::NoSpace { needed, free, reserve } if begin.bytes.is_none() => {
                    Error::NoSpaceAsBefore { needed, free, reserve }
                }
                error => error,
            })?;
            self.add_save(begin, bytes)
        })
    }

    /// Makes the staging directory and writes the save down. Nobody else is admitted meanwhile.
    fn add_save(&self, begin: Begin, bytes: u64) -> Result<Save> {
        let now = self.clock.now();
        let nth = self.next_save.fetch_add(1, Ordering::Relaxed);
        let id = SaveId::try_from(format!("s{:x}-{nth}", now.0)).map_err(|_| Error::Closing)?;
        let dir = self.layout.save(&id);
        let path = dir.join("files");
        fs::create_dir_all(&path).during("create the directory", &path)?;
        // The way to what will be the writer's; `files` itself is for nobody else.
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o711)).during("set the mode of", &dir)?;
        if let Err(error) = begin.writer.map_or(Ok(()), |writer| hand_over(&path, writer)) {
            self.layout.discard(&dir)?;
            return Err(error);
        }
        let expires = now.after(self.options.save_ttl);
        let save = Save { id, run: begin.run.clone(), step: begin.step, rank: begin.rank, path, expires };
        let watched = begin.writer.and_then(Watched::open);
        let slot = Slot { save: save.clone(), begin, bytes, watched, ended: false };
        if let Err(error) = self.book.add(slot) {
            self.layout.discard(&dir)?;
            return Err(error);
        }
        self.flusher.wake();
        Ok(save)
    }

    /// The user that a save in progress belongs to; this host's own if nobody else is named. None: it is not known.
    pub fn save_owner(&self, id: &SaveId) -> Option<u32> {
        let own = rustix::process::geteuid().as_raw();
        self.book.writer(id).map(|writer| writer.map_or(own, |writer| writer.uid))
    }

    /// Gives a save its full time again.
    ///
    /// # Errors
    /// [`Error::UnknownSave`].
    pub fn touch(&self, id: &SaveId) -> Result<Save> {
        let expires = self.clock.now().after(self.options.save_ttl);
        self.book.touch(id, expires).ok_or_else(|| Self::unknown(id))
    }

    /// Gives a save up and removes what was written.
    ///
    /// # Errors
    /// [`Error::UnknownSave`], also for one that was committed.
    pub fn abort(&self, id: &SaveId) -> Result<()> {
        let slot = self.book.get(id).ok_or_else(|| Self::unknown(id))?;
        self.end_aborted(&slot)?;
        self.layout.empty_trash();
        Ok(())
    }

    /// Ends a save without a commit, unless it has ended.
    pub(super) fn end_aborted(&self, slot: &Mutex<Slot>) -> Result<()> {
        let mut slot = lock(slot);
        if slot.ended {
            return Err(Self::unknown(&slot.save.id));
        }
        slot.ended = true;
        self.book.end(&slot.save.id, None);
        self.layout.discard(&self.layout.save(&slot.save.id))
    }

    /// What saves in progress have announced and not yet written.
    pub(super) fn announced(&self) -> u64 {
        let open = self.book.open().into_iter();
        let rest = open.map(|(slot, _)| {
            // One that is being committed has written all it will.
            let Ok(slot) = slot.try_lock() else { return 0 };
            slot.bytes.saturating_sub(space::bytes_below(&slot.save.path))
        });
        rest.fold(0, u64::saturating_add)
    }

    /// Bytes of this rank's newest shard, or of the largest of its fellows if it has none yet; 0 if nothing is known.
    pub(super) fn last_size(&self, run: &RunName, rank: Rank) -> Result<u64> {
        let (mut size, mut fellow, mut looked_at) = (None, None, 0);
        self.index.view().checkpoints(run, None, |checkpoint| {
            let fellows = checkpoint.shards.values().map(|shard| shard.bytes).max();
            fellow = fellow.or(fellows);
            size = checkpoint.shards.get(&rank).map(|shard| shard.bytes);
            looked_at += 1;
            size.is_none() && looked_at < 16
        })?;
        Ok(size.or(fellow).unwrap_or(0))
    }

    /// Saves whose deadline has passed or whose writer is gone.
    pub(super) fn abandoned(&self, now: Timestamp) -> Vec<std::sync::Arc<Mutex<Slot>>> {
        let open = self.book.open().into_iter();
        let over = open.filter(|(slot, expires)| {
            // One that is being committed is not abandoned.
            let Ok(slot) = slot.try_lock() else { return false };
            *expires <= now || slot.watched.as_ref().is_some_and(Watched::is_gone)
        });
        over.map(|(slot, _)| slot).collect()
    }
}

/// Makes the staging directory the writer's, and nobody else's.
fn hand_over(path: &Path, writer: Writer) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).during("set the mode of", path)?;
    let own = fs::metadata(path).during("look at", path)?;
    if own.uid() == writer.uid {
        return Ok(());
    }
    chown(path, Some(writer.uid), Some(writer.gid)).during("give to its writer the directory", path)
}
