use std::collections::BTreeMap;

use tidegate_core::{Checkpoint, EffectKind, EventKind, Job, Outcome, Rank, Step, Tier};
use tidegate_replica::{Base, Progress};
use tidegate_store::Tx;

use crate::{Error, Host, Result, error::blocking, needs, track::Track};

/// Smaller checkpoints stand for themselves: to need another one is not worth what it saves.
const WORTH: u64 = 1 << 20;
/// Earlier checkpoints that are looked at for a base.
const BASES: usize = 256;

/// Copies a checkpoint's shards to the target and notes them as verified there.
pub(super) async fn run(host: &Host, job: &Job, progress: &Track) -> Outcome {
    let (run, step) = (&job.effect.run, job.effect.step);
    let _reading = host.0.readers.hold(run, step);
    let checkpoint = match sealed(host, job).await {
        Ok(Some(checkpoint)) => checkpoint,
        Ok(None) => return gone(host, job).await,
        Err(error) => return Outcome::Retry(error.to_string()),
    };
    if checkpoint.verified(Tier::Object) {
        return Outcome::Done { bytes: 0, detail: "it was on the target already".into() };
    }
    progress.set_total(checkpoint.bytes());
    let (priority, rate) = match job.effect.kind {
        EffectKind::Replicate { priority, rate, .. } => (priority, rate),
        _ => (0, None),
    };
    let (mut sent, mut kept, mut verified) = (0, 0, String::from("already there"));
    let base = match base_of(host, &checkpoint).await {
        Ok(base) => base,
        Err(error) => return Outcome::Retry(error.to_string()),
    };
    // It may go meanwhile: where its files are gone nothing is made a difference of them, and if its copy goes this one is made anew.
    let mut bases = BTreeMap::new();
    for (rank, shard) in &checkpoint.shards {
        if shard.verified(Tier::Object) {
            progress.end_step(shard.bytes);
            continue;
        }
        match ship(host, &checkpoint, *rank, base, progress.begin_step(priority, rate)).await {
            Ok(shipped) => {
                bases.insert(*rank, shipped.base);
                progress.end_step(shard.bytes);
                sent += shipped.bytes;
                kept += shipped.reused;
                verified = shipped.verified;
            }
            Err(outcome) => return outcome,
        }
    }
    match host.0.target.mark_complete(run, step).await {
        Ok(true) => {}
        // Somebody deleted it behind our back: without it the bucket alone is not enough.
        Ok(false) => return Outcome::Retry("a rank's manifest is missing on the target".into()),
        Err(error) => return retry_or_fail(&error),
    }
    let from = bases.values().flatten().next().map(|base| format!(", differences from step {base}"));
    let (whole, from) = (checkpoint.bytes(), from.unwrap_or_default());
    let detail = format!("{sent} bytes sent for {whole}{from}, {kept} were there; {verified}");
    let outcome = Outcome::Done { bytes: sent, detail };
    match note(host, checkpoint, sent, verified, bases).await {
        Ok(()) => outcome,
        Err(error) => Outcome::Retry(error.to_string()),
    }
}

/// An earlier try may have sent a part of what is now gone; it must not stay for ever.
async fn gone(host: &Host, job: &Job) -> Outcome {
    let (run, step) = (&job.effect.run, job.effect.step);
    let detail = "its files are gone from this host";
    let ranks: Vec<Rank> = match host.0.store.index().view().checkpoint(run, step) {
        Ok(Some(known)) if !known.present(Tier::Object) => known.shards.keys().copied().collect(),
        Ok(_) => return Outcome::Failed(detail.into()),
        Err(error) => return Outcome::Retry(error.to_string()),
    };
    match host.0.target.abandon(run, step, &ranks).await {
        Ok(0) => Outcome::Failed(detail.into()),
        Ok(bytes) => Outcome::Failed(format!("{detail}; {bytes} bytes that were sent of it are deleted")),
        Err(error) => Outcome::Retry(format!("{detail}, and what was sent of it can't be deleted yet: {error}")),
    }
}

/// The checkpoint, with digests of all its shards, which are made now if they are not; none if a shard is on no tier any
/// more.
async fn sealed(host: &Host, job: &Job) -> Result<Option<Checkpoint>> {
    let (store, run, step) = (host.0.store.clone(), job.effect.run.clone(), job.effect.step);
    blocking(move || {
        let Some(checkpoint) = store.index().view().checkpoint(&run, step)? else { return Ok(None) };
        for (rank, shard) in &checkpoint.shards {
            if !shard.verified(Tier::Nvme) && !shard.verified(Tier::Object) {
                store.seal_now(&run, step, *rank)?;
            }
        }
        let sealed = store.index().view().checkpoint(&run, step)?;
        let ready = |it: &Checkpoint| it.shards.values().all(|s| s.verified(Tier::Nvme) || s.verified(Tier::Object));
        Ok::<_, Error>(sealed.filter(ready))
    })
    .await
}

/// The anchor that copies of a checkpoint may be kept as differences from: the newest earlier one of the same run that is whole
/// here and on the target and is no difference itself, unless as many as the options allow hang on it already; then this one is
/// the next.
///
/// Differences are made from anchors, and not each from the one before it: a restore without this host's NVMe then reads twice as
/// much as it needs at the most, and not as often as the chain is long, and copies are larger by less than a tenth (figures in `host/README.md`).
async fn base_of(host: &Host, checkpoint: &Checkpoint) -> Result<Option<Step>> {
    let most = host.0.options.deltas as usize;
    if most == 0 || checkpoint.bytes() < WORTH || !host.0.target.makes_differences() {
        return Ok(None);
    }
    let (store, run, step, world) =
        (host.0.store.clone(), checkpoint.run.clone(), checkpoint.step, checkpoint.world_size);
    blocking(move || {
        let (mut anchor, mut looked) = (None, 0);
        store.index().view().checkpoints(&run, Some(step), |earlier| {
            looked += 1;
            let whole = earlier.verified(Tier::Nvme) && earlier.verified(Tier::Object) && earlier.world_size == world;
            let is_anchor = whole && earlier.bases().is_empty();
            if is_anchor && earlier.needed.iter().filter(|need| need.until.is_none()).count() < most {
                anchor = Some(earlier.step);
            }
            !is_anchor && looked < BASES
        })?;
        Ok::<_, Error>(anchor)
    })
    .await
}

async fn ship(
    host: &Host,
    checkpoint: &Checkpoint,
    rank: Rank,
    base: Option<Step>,
    progress: Progress,
) -> Result<tidegate_replica::Shipped, Outcome> {
    let (store, run, step) = (host.0.store.clone(), checkpoint.run.clone(), checkpoint.step);
    let dir = store.shard_files(&run, step, rank);
    let body = match blocking(move || store.body(&run, step, rank)).await {
        Ok(body) => body,
        Err(error) => return Err(Outcome::Retry(error.to_string())),
    };
    let Some(digest) = checkpoint.shards.get(&rank).and_then(|shard| shard.body) else {
        return Err(Outcome::Retry(format!("rank {rank} has no digests yet")));
    };
    let (target, metrics) = (&host.0.target, &checkpoint.metrics);
    let base = base.map(|base| Base::new(base, host.0.store.shard_files(&checkpoint.run, base, rank)));
    // A copy that is there and not verified was found damaged.
    let damaged = checkpoint.shards.get(&rank).is_some_and(|shard| shard.copy(Tier::Object).is_some());
    let shipped = match damaged {
        true => target.mend(&body, digest, metrics, &dir, &progress).await,
        false => target.ship_against(base.as_ref(), &body, digest, metrics, &dir, &progress).await,
    };
    match shipped {
        Ok(shipped) => Ok(shipped),
        Err(error @ tidegate_replica::Error::LocalDamage { .. }) => {
            let (store, run, detail) = (host.0.store.clone(), checkpoint.run.clone(), error.to_string());
            let told = format!("the copy on this host is damaged and was set aside: {detail}");
            if let Err(error) = blocking(move || store.set_aside(&run, step, rank, detail)).await {
                return Err(Outcome::Retry(error.to_string()));
            }
            Err(Outcome::Failed(told))
        }
        Err(error) => Err(retry_or_fail(&error)),
    }
}

fn retry_or_fail(error: &tidegate_replica::Error) -> Outcome {
    if error.retryable() { Outcome::Retry(error.to_string()) } else { Outcome::Failed(error.to_string()) }
}

/// Notes the copies as verified: the record and the fact in one change.
async fn note(
    host: &Host,
    shipped: Checkpoint,
    bytes: u64,
    verified: String,
    bases: BTreeMap<Rank, Option<Step>>,
) -> Result<()> {
    let (target, wanted) = (host.0.target.name().clone(), host.0.options.wanted_copies);
    let note = move |tx: &mut Tx<'_>| {
        let Some(mut checkpoint) = tx.checkpoint(&shipped.run, shipped.step)? else { return Ok(()) };
        if checkpoint.verified(Tier::Object) {
            return Ok(());
        }
        let (run, step) = (shipped.run.clone(), shipped.step);
        let before = checkpoint.bases();
        let at = tx.append(EventKind::CheckpointReplicated { run, step, target, bytes, verified })?;
        for (rank, sent) in &shipped.shards {
            // Only the very bytes that were shipped.
            if let Some(shard) = checkpoint.shards.get_mut(rank).filter(|shard| shard.body == sent.body) {
                shard.add_copy(Tier::Object, at, true);
                if let Some(base) = bases.get(rank) {
                    shard.note_base(Tier::Object, *base);
                }
            }
        }
        checkpoint.note_copies(wanted, at);
        tx.put_checkpoint(&checkpoint)?;
        needs::note(tx, &checkpoint, &before, at)?;
        Ok::<_, Error>(())
    };
    host.0.store.index().write_async(note).await
}
