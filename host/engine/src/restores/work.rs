use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use tidegate_core::{Body, Checkpoint, Code, Digest, EventKind, Rank, Shard, Step, Tier};
use tidegate_replica::{Damage, RestoreOptions, Source};
use tidegate_store::{Error as StoreError, Tx, Writer};

use super::{book::Entry, partial::Partial};
use crate::{Error, Host, Result, error::blocking};

/// Earlier checkpoints of this host that are looked at for bases.
const LOCAL: usize = 256;

/// Restores the shards into `partial`, and renames it to its final place once all are whole and durable. Whatever
/// goes wrong, nothing is left. Until then only the host can read it, and afterwards only its `owner`.
pub(super) async fn run(
    host: &Host,
    checkpoint: &Checkpoint,
    ranks: &[Rank],
    entry: &Entry,
    partial: Partial,
    owner: Option<Writer>,
) -> Result<()> {
    for rank in ranks {
        let Some(shard) = checkpoint.shards.get(rank) else { continue };
        restore_shard(host, checkpoint, shard, partial.path(), entry).await?;
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
    let progress = entry.track.begin_step(0, None);
    let local = local_bases(host, checkpoint, rank).await?;
    let options = RestoreOptions { local, ..RestoreOptions::default() };
    let restored = tidegate_replica::restore(&body, &sources, &to, options, &progress).await;
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

/// The directories of earlier steps on this host: a copy that is kept as differences from one need not fetch that as well.
async fn local_bases(host: &Host, checkpoint: &Checkpoint, rank: Rank) -> Result<BTreeMap<Step, PathBuf>> {
    let (store, run, step) = (host.0.store.clone(), checkpoint.run.clone(), checkpoint.step);
    if checkpoint.bases().is_empty() {
        return Ok(BTreeMap::new());
    }
    blocking(move || {
        let (mut local, mut looked) = (BTreeMap::new(), 0);
        store.index().view().checkpoints(&run, Some(step), |earlier| {
            looked += 1;
            if earlier.shards.get(&rank).is_some_and(|shard| shard.verified(Tier::Nvme)) {
                local.insert(earlier.step, store.shard_files(&run, earlier.step, rank));
            }
            looked < LOCAL
        })?;
        Ok::<_, Error>(local)
    })
    .await
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
        E::Local { source, .. } if source.kind() == io::ErrorKind::StorageFull => Code::NoSpace,
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
