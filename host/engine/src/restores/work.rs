use std::{
    fs::{self, File},
    io,
    os::unix::fs::{DirBuilderExt, lchown},
    path::{Path, PathBuf},
};

use tidegate_core::{Body, Checkpoint, Code, Digest, EventKind, Rank, Shard, Tier};
use tidegate_replica::{Damage, RestoreOptions, Source};
use tidegate_store::{Error as StoreError, Tx, Writer};

use super::book::Entry;
use crate::{Error, Host, Result, error::blocking};

/// Restores the shards into a directory beside the final one, and renames it once all are whole and durable. Whatever
/// goes wrong, nothing is left. Until then only the host can read it, and afterwards only its `owner`.
pub(super) async fn run(
    host: &Host,
    checkpoint: &Checkpoint,
    ranks: &[Rank],
    entry: &Entry,
    owner: Option<Writer>,
) -> Result<()> {
    let partial = Partial::create(&entry.path)?;
    for rank in ranks {
        let Some(shard) = checkpoint.shards.get(rank) else { continue };
        restore_shard(host, checkpoint, shard, &partial.0, entry).await?;
    }
    let to = entry.path.clone();
    blocking(move || {
        partial.hand_over(owner)?;
        partial.land(&to)
    })
    .await
}

async fn restore_shard(host: &Host, checkpoint: &Checkpoint, shard: &Shard, into: &Path, entry: &Entry) -> Result<()> {
    let (run, step, rank) = (&checkpoint.run, checkpoint.step, shard.rank);
    let (body, nvme) = find_body(host, checkpoint, shard).await?;
    let dir = host.0.store.shard_files(run, step, rank);
    let mut sources = Vec::new();
    if nvme {
        sources.push(Source::Dir(&dir));
    }
    if shard.copy(Tier::Object).is_some() {
        sources.push(Source::Target(host.0.target.as_ref()));
    }
    let to = into.join(format!("rank-{:05}", rank.get()));
    let progress = entry.track.begin_step();
    let restored = tidegate_replica::restore(&body, &sources, &to, RestoreOptions::default(), &progress).await;
    let restored = match restored {
        Ok(restored) => restored,
        Err(error) => {
            // What was found damaged is told also when nothing could take its place.
            if let tidegate_replica::Error::Corrupt { damaged, .. } = &error {
                note_damage(host, checkpoint, rank, damaged).await?;
            }
            return Err(restore_error(&error));
        }
    };
    entry.track.end_step(body.bytes());
    entry.came_from(restored.nvme, restored.object);
    note_damage(host, checkpoint, rank, &restored.damaged).await
}

/// The manifest body whose digest the index knows, from the nearest tier that has it, and whether NVMe can be read.
async fn find_body(host: &Host, checkpoint: &Checkpoint, shard: &Shard) -> Result<(Body, bool)> {
    let (run, step, rank) = (checkpoint.run.clone(), checkpoint.step, shard.rank);
    let (mut trouble, mut damaged) = (Vec::new(), Vec::new());
    let mut found = None;
    if shard.copy(Tier::Nvme).is_some() {
        // A fresh shard may have no digests yet; a restore never gives out bytes that it can't verify.
        let (store, name) = (host.0.store.clone(), run.clone());
        let sealed = blocking(move || {
            store.seal_now(&name, step, rank)?;
            let body = store.body(&name, step, rank).map_err(|error| match error {
                StoreError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                    StoreError::Damaged("the manifest body of a sealed shard is missing".into())
                }
                error => error,
            })?;
            let known = store.index().view().checkpoint(&name, step)?;
            let known = known.and_then(|known| known.shards.get(&rank).and_then(|shard| shard.body));
            Ok::<_, tidegate_store::Error>((body, known))
        });
        match sealed.await {
            Ok((body, known)) if known == Some(digest_of(&body)?) => found = Some((body, true)),
            Ok(_) => damaged.push(bad_body(Tier::Nvme, "it is not the one that was committed")),
            Err(error) if error.code == Code::Corrupt => damaged.push(bad_body(Tier::Nvme, &error.detail)),
            Err(error) => trouble.push(format!("nvme: {}", error.detail)),
        }
    }
    let mut away = None;
    if found.is_none() && shard.copy(Tier::Object).is_some() {
        match host.0.target.body(&run, step, rank).await {
            Ok((body, digest)) if shard.body.is_none_or(|known| known == digest) => found = Some((body, false)),
            Ok(_) => damaged.push(bad_body(Tier::Object, "it is not the one that was shipped")),
            Err(error) if error.retryable() => away = Some(Error::new(Code::ObjectStore, error.to_string())),
            Err(error) => damaged.push(bad_body(Tier::Object, &error.to_string())),
        }
    }
    note_damage(host, checkpoint, rank, &damaged).await?;
    trouble.extend(damaged.iter().map(|damage| format!("{}: {}", damage.tier.name(), damage.detail)));
    let detail = format!("run {run} step {step} rank {rank}: no tier has its manifest: {}", trouble.join("; "));
    found.ok_or_else(|| away.unwrap_or_else(|| Error::new(Code::Corrupt, detail)))
}

fn bad_body(tier: Tier, detail: &str) -> Damage {
    Damage { tier, file: "the manifest body".into(), block: 0, detail: detail.to_owned() }
}

fn digest_of(body: &Body) -> Result<Digest> {
    let bytes = body.encode().map_err(|error| Error::new(Code::Internal, error.to_string()))?;
    Ok(Digest::of(&bytes))
}

fn restore_error(error: &tidegate_replica::Error) -> Error {
    use tidegate_replica::Error as E;
    let code = match error {
        E::Exists(_) => Code::TargetExists,
        E::NoSpace { .. } => Code::NoSpace,
        E::Cancelled => Code::Ended,
        E::Local { .. } | E::Worker(_) => Code::Internal,
        _ if error.retryable() => Code::ObjectStore,
        _ => Code::Corrupt,
    };
    Error::new(code, error.to_string())
}

/// What was found damaged is written down: on NVMe the shard is set aside, in object storage it no longer counts.
async fn note_damage(host: &Host, checkpoint: &Checkpoint, rank: Rank, damaged: &[Damage]) -> Result<()> {
    for tier in Tier::ALL {
        let found: Vec<String> = damaged
            .iter()
            .filter(|damage| damage.tier == tier)
            .take(4)
            .map(|damage| format!("{} block {}: {}", damage.file, damage.block, damage.detail))
            .collect();
        if found.is_empty() {
            continue;
        }
        let (run, step, detail) = (checkpoint.run.clone(), checkpoint.step, found.join("; "));
        match tier {
            Tier::Nvme => {
                let store = host.0.store.clone();
                blocking(move || store.set_aside(&run, step, rank, detail)).await?;
            }
            Tier::Object => {
                let note = move |tx: &mut Tx<'_>| {
                    let Some(mut checkpoint) = tx.checkpoint(&run, step)? else { return Ok(()) };
                    let at = tx.append(EventKind::ShardCorrupt { run, step, rank, tier, detail })?;
                    let counted = checkpoint.shards.get(&rank).is_some_and(|shard| shard.verified(tier));
                    if counted && checkpoint.damaged(tier, rank, at) {
                        // Not all of it may be damaged: it can be tried, and is mended by the next copy.
                        checkpoint.shards.entry(rank).and_modify(|shard| shard.add_copy(tier, at, false));
                    }
                    tx.put_checkpoint(&checkpoint)?;
                    Ok::<_, Error>(())
                };
                host.0.store.index().write_async(note).await?;
            }
        }
    }
    Ok(())
}

/// Where a restore is made before it lands.
pub(super) fn partial(to: &Path) -> PathBuf {
    let name = to.file_name().and_then(|name| name.to_str()).unwrap_or("restore");
    to.with_file_name(format!(".{name}.tidegate-partial"))
}

/// A directory beside the final one that is removed unless it lands.
struct Partial(PathBuf);

impl Partial {
    fn create(to: &Path) -> Result<Self> {
        let path = partial(to);
        let mut private = fs::DirBuilder::new();
        private.mode(0o700);
        let made = private.create(&path).or_else(|error| match error.kind() {
            // Left by a host that died.
            io::ErrorKind::AlreadyExists => fs::remove_dir_all(&path).and_then(|()| private.create(&path)),
            _ => Err(error),
        });
        made.map_err(|error| refused("create", &path, &error))?;
        Ok(Self(path))
    }

    /// Gives all of it to who asked, before its final sync.
    fn hand_over(&self, owner: Option<Writer>) -> Result<()> {
        let own = rustix::process::geteuid().as_raw();
        let Some(owner) = owner.filter(|owner| owner.uid != own && owner.uid != 0) else { return Ok(()) };
        let mut todo = vec![self.0.clone()];
        while let Some(path) = todo.pop() {
            lchown(&path, Some(owner.uid), Some(owner.gid)).map_err(|error| refused("give away", &path, &error))?;
            if path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
                let entries = fs::read_dir(&path).map_err(|error| refused("list", &path, &error))?;
                todo.extend(entries.flatten().map(|entry| entry.path()));
            }
        }
        Ok(())
    }

    fn land(self, to: &Path) -> Result<()> {
        let sync = |path: &Path| File::open(path).and_then(|dir| dir.sync_all());
        sync(&self.0).map_err(|error| refused("sync", &self.0, &error))?;
        if to.symlink_metadata().is_ok() {
            return Err(Error::new(Code::TargetExists, format!("{} exists", to.display())));
        }
        fs::rename(&self.0, to).map_err(|error| refused("rename", &self.0, &error))?;
        to.parent().map_or(Ok(()), sync).map_err(|error| refused("sync the directory above", to, &error))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.0.display(), %error, "a partial restore could not be removed");
        }
    }
}

fn refused(what: &str, path: &Path, error: &io::Error) -> Error {
    let code = if error.kind() == io::ErrorKind::StorageFull { Code::NoSpace } else { Code::Internal };
    Error::new(code, format!("could not {what} {}: {error}", path.display()))
}
