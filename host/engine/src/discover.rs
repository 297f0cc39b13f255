//! What object storage knows and this host does not: after the NVMe tier was lost, the bucket alone is enough.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tidegate_core::{Checkpoint, Code, EventKind, Rank, RunName, Seq, Shard, Step, TargetName, Tier, retry::Backoff};
use tidegate_replica::{Found, FoundShard, Target};
use tidegate_store::{Space, Tx};

use crate::{Error, Host, Result, catalog::unknown_checkpoint, error::blocking, needs};

/// A run that was not found is not looked for again within this time: 512 ranks that all ask at once make one listing.
/// So with a store that did not answer: they do not wait for it one after the other.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How long the store may take to tell of one run.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a start waits for what object storage holds, before it goes on without.
const AT_START: Duration = Duration::from_secs(10);
const BACKOFF: Backoff = Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(60) };

/// Where the index notes that all of the target was taken in once, and since when it had known its tier: an index that has
/// lost its end since has perhaps lost what it had found. A host that dies half way begins again.
fn noted(target: &Target) -> Vec<u8> {
    format!("discovered/{target}").into_bytes()
}

/// A run, or one step of it.
type Sought = (RunName, Option<Step>);

/// What was looked for and not found, with when, by the monotonic clock, and what was said of each.
#[derive(Debug, Default)]
pub(crate) struct Discovered {
    missing: Mutex<HashMap<Sought, (Duration, Error)>>,
    one_at_a_time: tokio::sync::Mutex<()>,
}

impl Discovered {
    fn missed_lately(&self, run: &RunName, step: Option<Step>, now: Duration) -> Option<Error> {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        missing.retain(|_, (at, _)| now.saturating_sub(*at) < AGAIN_AFTER);
        missing.get(&(run.clone(), step)).map(|(_, error)| error.clone())
    }

    fn note(&self, run: &RunName, step: Option<Step>, now: Duration, error: Error) {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).insert((run.clone(), step), (now, error));
    }
}

impl Host {
    /// Makes sure that a run is known, if here or object storage knows it.
    ///
    /// # Errors
    /// [`Code::UnknownRun`]; [`Code::ObjectStore`] if it is not known here and object storage does not answer.
    pub(crate) async fn find_run(&self, run: &RunName) -> Result<()> {
        if self.knows(run)? {
            return Ok(());
        }
        let _one = self.0.discovered.one_at_a_time.lock().await;
        if self.knows(run)? {
            return Ok(());
        }
        if let Some(error) = self.0.discovered.missed_lately(run, None, self.0.clock.monotonic()) {
            return Err(error);
        }
        let unknown = Error::new(Code::UnknownRun, format!("run {run} is not known here, nor in {}", self.0.target));
        let error = match tokio::time::timeout(PATIENCE, self.discover(Some(run))).await {
            Ok(Ok(_)) if self.knows(run)? => return Ok(()),
            Ok(Ok(_)) => unknown,
            Ok(Err(error)) => error,
            Err(_) => {
                let detail = format!("{} did not tell of run {run} within {} s", self.0.target, PATIENCE.as_secs());
                Error::new(Code::ObjectStore, detail)
            }
        };
        self.0.discovered.note(run, None, self.0.clock.monotonic(), error.clone());
        Err(error)
    }

    /// Looks for one checkpoint in object storage, if no tier has all of it as far as is known here: another host may have
    /// brought it there.
    ///
    /// # Errors
    /// [`Code::ObjectStore`] if it is not known here and object storage does not answer. That it is nowhere is no error.
    pub(crate) async fn find_step(&self, run: &RunName, step: Step) -> Result<()> {
        let has_it = || {
            let known = self.0.store.index().view().checkpoint(run, step)?;
            // One that is not complete has never left its host.
            Ok::<_, Error>(known.is_some_and(|known| known.restorable() || (known.complete.is_none() && !known.gone())))
        };
        if has_it()? {
            return Ok(());
        }
        let _one = self.0.discovered.one_at_a_time.lock().await;
        if has_it()? {
            return Ok(());
        }
        match self.0.discovered.missed_lately(run, Some(step), self.0.clock.monotonic()) {
            Some(error) if error.code == Code::ObjectStore => return Err(error),
            Some(_) => return Ok(()),
            None => {}
        }
        let silent = || {
            let detail =
                format!("{} did not tell of run {run} step {step} within {} s", self.0.target, PATIENCE.as_secs());
            Error::new(Code::ObjectStore, detail)
        };
        let looked = match tokio::time::timeout(PATIENCE, self.0.target.look(run, step)).await {
            Ok(looked) => looked.map_err(|error| Error::new(Code::ObjectStore, error.to_string())),
            Err(_) => Err(silent()),
        };
        let error = match looked {
            Ok(Some(found)) => return self.take_in(vec![found]).await,
            Ok(None) => unknown_checkpoint(run, step),
            Err(error) => error,
        };
        self.0.discovered.note(run, Some(step), self.0.clock.monotonic(), error.clone());
        if error.code == Code::ObjectStore { Err(error) } else { Ok(()) }
    }

    /// Takes in what the target holds, unless that was done once to its end: now if it answers soon, else in the
    /// background until it is done.
    pub(crate) async fn discover_at_start(&self) {
        let error = match tokio::time::timeout(AT_START, self.discover_once()).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(_) => Error::new(Code::ObjectStore, format!("no answer within {} s", AT_START.as_secs())),
        };
        tracing::warn!(%error, "object storage could not be searched for checkpoints yet; the search goes on");
        let host = self.clone();
        self.spawn(async move {
            let mut failures = 1;
            loop {
                tokio::time::sleep(BACKOFF.after(failures, host.0.options.name.as_str().as_bytes())).await;
                match host.discover_once().await {
                    Ok(()) => return,
                    Err(error) => tracing::debug!(%error, failures, "object storage could not be searched"),
                }
                failures = failures.saturating_add(1);
            }
        });
    }

    async fn discover_once(&self) -> Result<()> {
        let key = noted(&self.0.target);
        let since = self.0.store.knows_since()?;
        if self.0.store.index().view().get::<Seq>(Space::Meta, &key)? == Some(since) {
            return Ok(());
        }
        // The listing tells nothing of copies that come while it is made.
        let before = self.0.store.index().view().head()?;
        let found = self.0.target.scan(None).await.map_err(|e| Error::new(Code::ObjectStore, e.to_string()))?;
        if since > 1 {
            self.take_away(&found, before).await?;
        }
        self.take_in(found).await?;
        let note = move |tx: &mut Tx<'_>| tx.put(Space::Meta, &key, &since);
        Ok(self.0.store.index().write_async(note).await?)
    }

    /// Whether some tier holds a checkpoint of the run, as far as the index knows.
    fn knows(&self, run: &RunName) -> Result<bool> {
        let mut known = false;
        self.0.store.index().view().checkpoints(run, None, |checkpoint| {
            known = checkpoint.known();
            !known
        })?;
        Ok(known)
    }

    /// Takes into the index what object storage holds of a run, or of all. Durable when it returns.
    pub(crate) async fn discover(&self, run: Option<&RunName>) -> Result<usize> {
        let found = self.0.target.scan(run).await.map_err(|e| Error::new(Code::ObjectStore, e.to_string()))?;
        let count = found.len();
        self.take_in(found).await?;
        Ok(count)
    }

    /// Takes copies out of the count that the index told of at this place of the journal and a whole listing does not: the index has lost its end, and
    /// with it that they were deleted. Nobody knows whether somebody let them go, so what was only there is lost.
    async fn take_away(&self, found: &[Found], before: Seq) -> Result<()> {
        let there: HashSet<(RunName, Step)> = found.iter().map(|one| (one.run.clone(), one.step)).collect();
        let store = self.0.store.clone();
        let target = self.0.target.name().clone();
        blocking(move || {
            let known: Vec<Checkpoint> = store.index().view().all(Space::Checkpoints, usize::MAX)?;
            let away = known.into_iter().filter(|it| it.present(Tier::Object));
            for it in away.filter(|it| !there.contains(&(it.run.clone(), it.step))) {
                let target = target.clone();
                store.index().write(move |tx| take_away(tx, &it.run, it.step, &target, before))?;
            }
            Ok::<_, Error>(())
        })
        .await
    }

    /// Durable when it returns.
    async fn take_in(&self, found: Vec<Found>) -> Result<()> {
        let target: Arc<Target> = self.0.target.clone();
        let count = found.len();
        if count > 0 {
            tracing::info!(count, from = %target, "found checkpoints in object storage");
        }
        // In groups: one change must stay small.
        let mut found = found.into_iter().peekable();
        while found.peek().is_some() {
            let group: Vec<Found> = found.by_ref().take(256).collect();
            let target = target.clone();
            let take_in = move |tx: &mut Tx<'_>| group.iter().try_for_each(|one| adopt(tx, one, &target));
            self.0.store.index().write_async(take_in).await?;
        }
        Ok(())
    }
}

fn take_away(tx: &mut Tx<'_>, run: &RunName, step: Step, target: &TargetName, before: Seq) -> Result<()> {
    let Some(mut checkpoint) = tx.checkpoint(run, step)? else { return Ok(()) };
    let was_there =
        |shard: &&Shard| shard.copy(Tier::Object).is_some_and(|copy| copy.verified.unwrap_or(copy.since) <= before);
    let ranks: Vec<Rank> = checkpoint.shards.values().filter(was_there).map(|shard| shard.rank).collect();
    for rank in ranks {
        let at = tx.next_seq();
        if checkpoint.damaged(Tier::Object, rank, at) {
            let (run, detail) = (run.clone(), format!("{target} does not have it"));
            tx.append(EventKind::ShardCorrupt { run, step, rank, tier: Tier::Object, detail })?;
        }
    }
    Ok(tx.put_checkpoint(&checkpoint)?)
}

fn adopt(tx: &mut Tx<'_>, found: &Found, target: &Target) -> Result<()> {
    let (run, step) = (&found.run, found.step);
    let known = tx.checkpoint(run, step)?;
    if known.as_ref().is_some_and(|known| !lacks_only_copies(known, found)) {
        return Ok(());
    }
    let kind = EventKind::CheckpointFound { run: run.clone(), step, target: target.name().clone() };
    let at = tx.append(kind)?;
    let mut checkpoint = known.unwrap_or_else(|| {
        let mut new = Checkpoint::new(run.clone(), step, found.world_size, found.created);
        new.metrics = found.metrics.clone();
        new
    });
    for shard in &found.shards {
        let (bytes, files) = (shard.bytes, shard.files);
        let made = Shard { rank: shard.rank, bytes, files, committed: at, body: Some(shard.body), copies: Vec::new() };
        let shard_here = checkpoint.shards.entry(shard.rank).or_insert(made);
        // Its digests were not made before its last copy here went.
        shard_here.body.get_or_insert(shard.body);
        shard_here.add_copy(Tier::Object, at, true);
        shard_here.note_base(Tier::Object, shard.base);
    }
    checkpoint.complete = checkpoint.complete.or(checkpoint.has_all_ranks().then_some(at));
    // It was replicated once; that this tier lost its copy does not make it unreplicated.
    checkpoint.copies_met = checkpoint.complete;
    tx.put_checkpoint(&checkpoint)?;
    Ok(needs::note(tx, &checkpoint, &BTreeSet::new(), at)?)
}

/// Whether a checkpoint that is known, as after its index was made anew from the tier, is the one that was found, and was
/// never known to be on the target: a copy that was deleted must not come back.
fn lacks_only_copies(known: &Checkpoint, found: &Found) -> bool {
    let fits = |shard: &FoundShard| match known.shards.get(&shard.rank) {
        Some(here) => {
            let same = match here.body {
                Some(body) => body == shard.body,
                None => here.copies.iter().all(|copy| !copy.live()) && here.bytes == shard.bytes,
            };
            same && here.copies.iter().all(|copy| copy.tier != Tier::Object)
        }
        None => true,
    };
    known.known() && known.world_size == found.world_size && found.shards.iter().all(fits)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tidegate_core::{HostName, ManualClock, Timestamp};
    use tidegate_store::Index;

    use super::*;

    #[test]
    fn a_listing_takes_away_only_what_was_there_when_it_began() {
        let dir = tempfile::tempdir().unwrap();
        let host: HostName = "h".parse().unwrap();
        let index = Index::open(dir.path(), host, Arc::new(ManualClock::default())).unwrap();
        let (run, step): (RunName, Step) = ("r".parse().unwrap(), 1_u64.try_into().unwrap());
        let target: TargetName = "t".parse().unwrap();
        let rank: Rank = 0_u64.try_into().unwrap();
        let mut made = Checkpoint::new(run.clone(), step, 1_u64.try_into().unwrap(), Timestamp(0));
        let mut shard = Shard { rank, bytes: 1, files: 1, committed: 1, body: None, copies: Vec::new() };
        shard.add_copy(Tier::Object, 7, true);
        made.shards.insert(rank, shard);
        made.complete = Some(1);
        index.write(move |tx| tx.put_checkpoint(&made)).unwrap();
        let after = |before: Seq| {
            let (run, target) = (run.clone(), target.clone());
            index.write(move |tx| take_away(tx, &run, step, &target, before)).unwrap();
            index.view().checkpoint(&"r".parse().unwrap(), step).unwrap().unwrap()
        };
        assert!(after(6).verified(Tier::Object), "it came while the listing was made");
        let lost = after(7);
        assert!(lost.lost() && !lost.present(Tier::Object));
    }
}
