//! The journal, read as a stranger would: what is where after each event, and whether each prune was allowed. It shares
//! no code with the host's guard, on purpose.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use tidegate_client::api::{Checkpoint, Event, Tier};

use super::ledger::Shard;

/// A commit that the journal tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Commit {
    pub(super) seq: u64,
    pub(super) bytes: u64,
    pub(super) files: u64,
}

/// Where a shard's copies are.
#[derive(Clone, Copy, Debug, Default)]
struct Copies {
    bytes: u64,
    nvme: bool,
    object: bool,
    /// The copy in object storage is one that was verified and not found damaged since.
    object_good: bool,
}

/// A checkpoint, as far as the journal tells.
#[derive(Clone, Debug, Default)]
pub(super) struct Step {
    world_size: u64,
    shards: BTreeMap<u32, Copies>,
    complete: bool,
    sealed: bool,
    /// It once had verified copies on both tiers.
    copies_met: bool,
    pins: BTreeSet<String>,
}

impl Step {
    fn on_nvme(&self) -> bool {
        self.shards.values().any(|copies| copies.nvme)
    }

    pub(super) fn on_object(&self) -> bool {
        self.shards.values().any(|copies| copies.object)
    }

    fn gone(&self) -> bool {
        !self.on_nvme() && !self.on_object()
    }

    pub(super) fn restorable(&self) -> bool {
        self.complete && self.shards.values().all(|copies| copies.nvme || copies.object)
    }

    fn verified(&self, tier: &str) -> bool {
        let on = |copies: &Copies| if tier == "nvme" { copies.nvme && self.sealed } else { copies.object_good };
        self.complete && self.shards.values().all(on)
    }
}

/// The whole journal and what follows from it.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) events: Vec<Event>,
    steps: BTreeMap<(String, u64), Step>,
    commits: BTreeMap<Shard, Vec<Commit>>,
    /// How many prunes there were, by tier.
    pub(super) pruned: BTreeMap<String, u64>,
}

fn text(event: &Event, field: &str) -> Result<String> {
    let value = event.what.get(field).and_then(|value| value.as_str());
    Ok(value.with_context(|| format!("{event:?} has no text {field}"))?.to_owned())
}

fn number(event: &Event, field: &str) -> Result<u64> {
    event.what.get(field).and_then(|value| value.as_u64()).with_context(|| format!("{event:?} has no number {field}"))
}

impl History {
    /// The last place.
    pub(super) fn head(&self) -> u64 {
        self.events.len() as u64
    }

    /// Takes in what follows.
    pub(super) fn take(&mut self, events: Vec<Event>) -> Result<()> {
        for event in events {
            let expected = self.head() + 1;
            ensure!(event.seq == expected, "the journal has a gap: {} where {expected} must be", event.seq);
            self.apply(&event).with_context(|| format!("event {} ({})", event.seq, event.kind))?;
            self.events.push(event);
        }
        Ok(())
    }

    fn apply(&mut self, event: &Event) -> Result<()> {
        match event.kind.as_str() {
            "bot-started" => return Ok(()),
            "bot-quarantined" => bail!("a bot failed: {event:?}"),
            _ => {}
        }
        let (run, step) = (text(event, "run")?, number(event, "step")?);
        let name = (run.clone(), step);
        match event.kind.as_str() {
            "shard-committed" => {
                let rank = u32::try_from(number(event, "rank")?)?;
                let (bytes, files) = (number(event, "bytes")?, number(event, "files")?);
                let of_step = self.steps.entry(name).or_default();
                if of_step.gone() {
                    *of_step = Step { world_size: number(event, "world_size")?, ..Step::default() };
                }
                let copies = of_step.shards.entry(rank).or_default();
                ensure!(!copies.nvme, "it was here already");
                (copies.nvme, copies.bytes, of_step.sealed) = (true, bytes, false);
                let commit = Commit { seq: event.seq, bytes, files };
                self.commits.entry((run, step, rank)).or_default().push(commit);
            }
            "checkpoint-complete" => {
                let of_step = self.step(&name)?;
                ensure!(of_step.shards.len() as u64 == of_step.world_size, "ranks are missing: {of_step:?}");
                of_step.complete = true;
            }
            "checkpoint-sealed" => {
                let of_step = self.step(&name)?;
                of_step.sealed = true;
                of_step.copies_met |= of_step.verified("nvme") && of_step.verified("object");
            }
            "checkpoint-replicated" => {
                let of_step = self.step(&name)?;
                ensure!(of_step.complete, "it is not complete");
                for copies in of_step.shards.values_mut() {
                    (copies.object, copies.object_good) = (true, true);
                }
                of_step.copies_met |= of_step.verified("nvme");
            }
            "checkpoint-pruned" => {
                let tier = text(event, "tier")?;
                self.check_prune(&name, &tier)?;
                *self.pruned.entry(tier.clone()).or_default() += 1;
                for copies in self.step(&name)?.shards.values_mut() {
                    match tier.as_str() {
                        "nvme" => copies.nvme = false,
                        _ => (copies.object, copies.object_good) = (false, false),
                    }
                }
            }
            "shard-corrupt" => {
                let rank = u32::try_from(number(event, "rank")?)?;
                let tier = text(event, "tier")?;
                let copies = self.step(&name)?.shards.get_mut(&rank).context("there is no such shard")?;
                if tier == "nvme" { copies.nvme = false } else { copies.object_good = false }
            }
            "pinned" => drop(self.step(&name)?.pins.insert(text(event, "by")?)),
            "unpinned" => drop(self.step(&name)?.pins.remove(&text(event, "by")?)),
            "job-finished" | "checkpoint-found" => {}
            other => bail!("there is no kind {other}"),
        }
        Ok(())
    }

    fn step(&mut self, name: &(String, u64)) -> Result<&mut Step> {
        self.steps.get_mut(name).with_context(|| format!("{name:?} was never committed"))
    }

    /// Promise 3: the last verified copy of what must be kept does not go.
    fn check_prune(&self, name: &(String, u64), tier: &str) -> Result<()> {
        let step = self.steps.get(name).context("it was never committed")?;
        let newest = self.newest_complete(&name.0);
        let kept = if !step.pins.is_empty() {
            "it is pinned"
        } else if newest.is_none_or(|newest| name.1 >= newest) {
            "nothing newer is complete"
        } else if step.complete && !step.copies_met {
            "it never had two copies"
        } else {
            return Ok(());
        };
        let other = if tier == "nvme" { "object" } else { "nvme" };
        ensure!(step.verified(other), "UNSAFE PRUNE of {name:?} from {tier}: {kept}, and it is {step:?}");
        Ok(())
    }

    /// The newest step of a run that is complete and can be restored.
    pub(super) fn newest_complete(&self, run: &str) -> Option<u64> {
        self.steps.iter().filter(|((of, _), step)| of == run && step.restorable()).map(|((_, step), _)| *step).max()
    }

    pub(super) fn commits_of(&self, shard: &Shard) -> Vec<Commit> {
        self.commits.get(shard).cloned().unwrap_or_default()
    }

    /// Every shard that was ever committed.
    pub(super) fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.commits.keys()
    }

    /// Shards that are on the tier.
    pub(super) fn nvme_shards(&self) -> BTreeSet<Shard> {
        let of = |((run, step), it): (&(String, u64), &Step)| -> Vec<Shard> {
            let here = it.shards.iter().filter(|(_, copies)| copies.nvme);
            here.map(|(rank, _)| (run.clone(), *step, *rank)).collect()
        };
        self.steps.iter().flat_map(of).collect()
    }

    /// All steps of which something is left.
    pub(super) fn live_steps(&self) -> impl Iterator<Item = (&(String, u64), &Step)> {
        self.steps.iter().filter(|(_, step)| !step.gone())
    }

    pub(super) fn is_restorable(&self, run: &str, step: u64) -> bool {
        self.steps.get(&(run.to_owned(), step)).is_some_and(Step::restorable)
    }

    pub(super) fn is_pinned(&self, run: &str, step: u64) -> bool {
        self.steps.get(&(run.to_owned(), step)).is_some_and(|step| !step.pins.is_empty())
    }

    /// Whether object storage has a good copy of the whole checkpoint.
    pub(super) fn is_replicated(&self, run: &str, step: u64) -> bool {
        self.steps.get(&(run.to_owned(), step)).is_some_and(|step| step.verified("object"))
    }

    /// The first difference between the journal and what the host says of its checkpoints.
    pub(super) fn difference(&self, told: &[Checkpoint]) -> Option<String> {
        // Of what is lost the host tells on, and the journal has nothing left.
        let is_name_only = |it: &&Checkpoint| it.lost && it.shards.iter().all(|shard| !shard.nvme && !shard.object);
        let told = told.iter().filter(|it| !is_name_only(it));
        let told: BTreeMap<_, _> = told.map(|it| ((it.run.clone(), it.step), it)).collect();
        if let Some(name) = told.keys().find(|name| self.steps.get(name).is_none_or(Step::gone)) {
            return Some(format!("the host tells of {name:?}, of which the journal says that nothing is left"));
        }
        self.live_steps().find_map(|(name, step)| {
            let Some(it) = told.get(name) else { return Some(format!("the host does not tell of {name:?}: {step:?}")) };
            let same = (it.complete, it.pinned) == (step.complete, !step.pins.is_empty())
                && it.shards.len() == step.shards.len()
                && it.shards.iter().all(|shard| {
                    let copies = step.shards.get(&shard.rank);
                    copies.is_some_and(|copies| {
                        (shard.nvme, shard.bytes) == (copies.nvme, copies.bytes) && shard.object == copies.object_good
                    })
                })
                && it.tiers.contains(&Tier::Object) == step.verified("object")
                && it.tiers.contains(&Tier::Nvme) == step.verified("nvme");
            (!same).then(|| format!("{name:?}: the journal says {step:?}, the host {it:?}"))
        })
    }
}
