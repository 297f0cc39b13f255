//! What must hold after every restart.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::Mutex,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use tidegate_client::{
    Paging,
    api::{Event, Problem, Restore, RestoreRequest, RestoreState, StepChoice},
};
use tidegate_tests_support::{tree::Tree, wait};

use super::{
    history::History,
    ledger::{Ledger, Shard},
    mischief::{Damage, directory_of, shards_below},
    writer::WORLD_SIZE,
};
use crate::ask::Ask;

/// For what settles by itself: jobs in the background, an object store that has come back.
const SOON: Duration = Duration::from_secs(60);
/// Restores at a time.
const AT_ONCE: usize = 3;

/// A host after a restart, and what must be true of it.
pub(super) struct Checked<'a> {
    pub(super) ask: &'a Ask,
    pub(super) socket: &'a Path,
    pub(super) tier: &'a Path,
    pub(super) scratch: &'a Path,
    pub(super) ledger: &'a Mutex<Ledger>,
    pub(super) history: &'a mut History,
}

/// What a look at the tier found at once after the start, before anybody asked for anything.
pub(super) fn nothing_is_left_over(tier: &Path) -> Result<()> {
    for folder in ["staging", "restores"] {
        let left: Vec<_> = fs::read_dir(tier.join(folder))?.flatten().map(|entry| entry.file_name()).collect();
        ensure!(left.is_empty(), "LEAK: {folder} holds {left:?} after the start");
    }
    Ok(())
}

/// Whether a restore that is done holds exactly what was committed.
pub(super) fn exact(ledger: &mut Ledger, restore: &Restore) -> Result<()> {
    let (run, step, path) = (&restore.run, restore.step, Path::new(&restore.path));
    let ranks: BTreeSet<_> = fs::read_dir(path)?.flatten().map(|entry| entry.file_name()).collect();
    let wanted: BTreeSet<_> = (0..WORLD_SIZE).map(|rank| format!("rank-{rank:05}").into()).collect();
    ensure!(ranks == wanted, "{run} step {step} came back with {ranks:?}");
    let mut bytes = 0;
    for rank in 0..WORLD_SIZE {
        let found = Tree::read(&path.join(format!("rank-{rank:05}")))?;
        let shard = (run.clone(), step, rank);
        let tree =
            ledger.tree_asked_for(&shard).with_context(|| format!("{shard:?} was restored and never committed"))?;
        if let Some(difference) = tree.difference(&found) {
            bail!("NOT EXACT: {shard:?} was restored, and {difference}; {restore:?}");
        }
        bytes += tree.bytes();
    }
    ensure!(restore.from.nvme + restore.from.object == bytes, "{bytes} bytes, and {restore:?}");
    ledger.restored.0 += 1;
    ledger.restored.1 += bytes;
    fs::remove_dir_all(path)?;
    Ok(())
}

impl Checked<'_> {
    /// Takes in the events that are new.
    fn read_on(&mut self) -> Result<bool> {
        let events = self.ask.events_after(self.history.head())?;
        let new = !events.is_empty();
        self.history.take(events)?;
        Ok(new)
    }

    /// All of it. `seen` are events that somebody saw before the crash.
    pub(super) fn all(&mut self, seen: &[Event], damage: Option<&Damage>) -> Result<()> {
        let saves = self.ask.run(self.ask.client.saves(&Paging::default()))?.items;
        ensure!(saves.is_empty(), "LEAK: saves are open after the start: {saves:?}");
        self.read_on()?;
        self.what_was_seen_is_there(seen)?;
        self.lock().settle(self.history)?;
        if let Some(Damage::Removed(shard)) = damage {
            ensure!(!self.history.nvme_shards().contains(shard), "{shard:?} was removed, and no event tells");
        }
        self.shards_are_exact()?;
        self.restores_are_exact()?;
        if let Some(Damage::Flipped(shard)) = damage {
            self.damage_is_told(shard)?;
        }
        self.told_is_what_the_journal_says()?;
        self.index_and_tier_agree()?;
        self.pins_hold()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("no thread fails")
    }

    fn what_was_seen_is_there(&self, seen: &[Event]) -> Result<()> {
        for event in seen {
            let place = usize::try_from(event.seq)?.checked_sub(1).context("places count from 1")?;
            let now = self.history.events.get(place);
            ensure!(
                now == Some(event),
                "LOST: {event:?} was in the journal before the crash, and now there is {now:?}"
            );
        }
        Ok(())
    }

    /// The files of each shard on the tier, complete or not.
    fn shards_are_exact(&mut self) -> Result<()> {
        for shard in self.history.nvme_shards() {
            if self.lock().damaged.contains(&shard) {
                continue;
            }
            let found = Tree::read(&directory_of(self.tier, &shard).join("files"));
            let difference = match &found {
                Ok(found) => self.lock().tree(&shard).context("a shard without a commit")?.difference(found),
                Err(error) => Some(format!("{error:#}")),
            };
            let Some(difference) = difference else { continue };
            // It may have been pruned meanwhile; first the index, then the files.
            self.read_on()?;
            ensure!(!self.history.nvme_shards().contains(&shard), "LOST: {shard:?} on the tier: {difference}");
        }
        Ok(())
    }

    /// Everything that can be restored is, and compared.
    fn restores_are_exact(&mut self) -> Result<()> {
        let wanted = |(name, step): (&(String, u64), &super::history::Step)| step.restorable().then(|| name.clone());
        let wanted: Vec<(String, u64)> = self.history.live_steps().filter_map(wanted).collect();
        let todo = Mutex::new(wanted);
        let refused = Mutex::new(Vec::new());
        let (socket, scratch, ledger) = (self.socket, self.scratch, self.ledger);
        let restore_some = || -> Result<()> {
            let ask = Ask::new(socket)?;
            loop {
                let Some((run, step)) = todo.lock().expect("no thread fails").pop() else { return Ok(()) };
                match restore(&ask, scratch, &run, step)? {
                    Ok(restore) => exact(&mut ledger.lock().expect("no thread fails"), &restore)?,
                    Err(why) => refused.lock().expect("no thread fails").push((run, step, why)),
                }
            }
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(restore_some)).collect();
            workers.into_iter().try_for_each(|worker| worker.join().expect("no thread fails"))
        })?;
        self.read_on()?;
        for (run, step, why) in refused.into_inner().expect("no thread fails") {
            let excused = match why.code.as_str() {
                // Pruned since the list was made.
                "TG0005" | "TG0006" | "TG0015" => !self.history.is_restorable(&run, step),
                "TG0014" => {
                    // Only where a copy was damaged, and no other was there to take; the journal must tell.
                    let shards = (0..WORLD_SIZE).map(|rank| (run.clone(), step, rank));
                    let damaged = shards.into_iter().any(|shard| self.lock().damaged.contains(&shard));
                    damaged && !self.history.is_replicated(&run, step)
                }
                _ => false,
            };
            ensure!(excused, "LOST: {run} step {step} is not restored: {} {}", why.code, why.detail);
        }
        Ok(())
    }

    /// A flipped bit was found by the restore, if the shard is of a complete checkpoint.
    fn damage_is_told(&mut self, shard: &Shard) -> Result<()> {
        if !self.history.nvme_shards().contains(shard) || !self.history.is_restorable(&shard.0, shard.1) {
            return Ok(());
        }
        bail!("{shard:?} was damaged, its checkpoint was restored, and no event tells")
    }

    /// What the host tells of its checkpoints is what its own journal says, and `latest` is the newest complete one.
    pub(super) fn told_is_what_the_journal_says(&mut self) -> Result<()> {
        let mut last = String::new();
        let agree = wait::until("the host and its journal to agree", SOON, || {
            self.read_on()?;
            let told = self.ask.checkpoints()?;
            let runs = self.ask.run(self.ask.client.runs(&Paging::default()))?.items;
            // Something happened in between: look again.
            if self.read_on()? {
                last = "something happens all the time".into();
                return Ok(None);
            }
            for it in told.iter().filter(|it| it.lost) {
                let mut shards = (0..WORLD_SIZE).map(|rank| (it.run.clone(), it.step, rank));
                ensure!(
                    shards.any(|shard| self.lock().damaged.contains(&shard)),
                    "LOST: {it:?}, and nobody damaged it"
                );
            }
            if let Some(difference) = self.history.difference(&told) {
                bail!("{difference}");
            }
            for run in runs {
                let newest = self.history.newest_complete(&run.run);
                ensure!(run.latest_complete == newest, "{run:?}, and the journal says {newest:?}");
                let latest = self.ask.run(self.ask.client.checkpoint(&run.run, "latest"));
                let latest = latest.ok().map(|latest| latest.step);
                ensure!(latest == newest || self.read_on()?, "latest of {run:?} is {latest:?}, not {newest:?}");
            }
            Ok(Some(()))
        });
        agree.with_context(|| last)
    }

    /// The directories of the tier are those of the index, and the trash is empty.
    pub(super) fn index_and_tier_agree(&mut self) -> Result<()> {
        let mut last = String::new();
        let agree = wait::until("the index and the tier to agree", SOON, || {
            let here = shards_below(self.tier)?;
            self.read_on()?;
            let known = self.history.nvme_shards();
            let trash = fs::read_dir(self.tier.join("trash"))?.count();
            let (strays, missing): (Vec<_>, Vec<_>) =
                (here.difference(&known).collect(), known.difference(&here).collect());
            last = format!("strays {strays:?}, missing {missing:?}, {trash} in the trash");
            Ok((strays.is_empty() && missing.is_empty() && trash == 0).then_some(()))
        });
        agree.with_context(|| format!("LEAK: {last}"))
    }

    fn pins_hold(&self) -> Result<()> {
        for ((run, step), set) in &self.lock().pins {
            let pinned = self.history.is_pinned(run, *step);
            // One whose bytes were damaged may be gone with its pins.
            let gone = || !self.history.live_steps().any(|(name, _)| name == &(run.clone(), *step));
            ensure!(set.is_none_or(|set| set == pinned || gone()), "LOST: the pin of {run} step {step} is {pinned}");
        }
        Ok(())
    }

    /// Waits until nothing is left to do.
    pub(super) fn idle(&mut self) -> Result<()> {
        let mut last = String::new();
        let idle = wait::until("the host to be idle", 3 * SOON, || {
            let jobs = self.ask.run(self.ask.client.jobs(&Paging::first(20)))?.items;
            let open: BTreeMap<_, _> = jobs
                .iter()
                .filter(|job| matches!(job.state.as_str(), "queued" | "running"))
                .map(|job| (&job.id, (&job.verb, &job.run, job.step, job.failures, &job.detail)))
                .collect();
            let lags: Vec<u64> = self.ask.run(self.ask.client.bots())?.items.iter().map(|bot| bot.lag).collect();
            last = format!("jobs {open:?}, lags {lags:?}");
            Ok((open.is_empty() && lags.iter().all(|lag| *lag == 0) && !self.read_on()?).then_some(()))
        });
        idle.with_context(|| last)
    }
}

/// A restore into a directory of its own, or the problem that it was refused with.
fn restore(ask: &Ask, scratch: &Path, run: &str, step: u64) -> Result<Result<Restore, Problem>> {
    let into = scratch.join(format!("{run}-{step}"));
    let request = RestoreRequest {
        run: run.to_owned(),
        step: StepChoice::Step(step),
        ranks: None,
        into: Some(into.to_string_lossy().into_owned()),
    };
    wait::until("a restore", SOON, || {
        let restore = match ask.run(ask.client.restore(&request, Duration::from_secs(60))) {
            Ok(restore) => restore,
            Err(error) => return Ok(Some(Err(error.problem().context(format!("restore: {error}"))?.clone()))),
        };
        match (restore.state, &restore.error) {
            (RestoreState::Done, None) => Ok(Some(Ok(restore))),
            // The object store is away, which passes.
            (RestoreState::Failed, Some(problem)) if problem.code == "TG0026" => Ok(None),
            (RestoreState::Failed, Some(problem)) => Ok(Some(Err(problem.clone()))),
            _ => bail!("a restore that is neither running nor done nor failed: {restore:?}"),
        }
    })
}
