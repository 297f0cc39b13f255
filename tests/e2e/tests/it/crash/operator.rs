//! A person who prunes, pins and restores while all of that goes on.

use std::{path::Path, time::Duration};

use anyhow::anyhow;
use fastrand::Rng;
use tidegate_client::{
    Paging,
    api::{Checkpoint, PruneRequest, RestoreRequest, RestoreState, StepChoice, Tier},
};

use super::{
    check,
    shared::{Shared, Stop},
    writer::WORLD_SIZE,
};
use crate::ask::Ask;

/// Complete checkpoints of a run that the operator leaves in object storage.
const KEEP: usize = 3;

/// The operator.
pub(super) struct Operator<'a> {
    pub(super) shared: &'a Shared,
    pub(super) runs: &'a [&'a str],
    /// Restores go below it; it is emptied by the caller.
    pub(super) scratch: &'a Path,
    pub(super) rng: Rng,
}

impl Operator<'_> {
    /// Interferes until the host is killed.
    pub(super) fn work(mut self, socket: &Path) -> Result<(), Stop> {
        let ask = Ask::new(socket)?;
        for nth in 0.. {
            let run = self.runs[self.rng.usize(..self.runs.len())];
            let paging = Paging { limit: Some(50), page: None };
            let known = match ask.run(ask.client.checkpoints(run, &paging)) {
                Err(error) if error.code() == Some("TG0005") => Vec::new(),
                known => self.shared.answer(known)?.items,
            };
            let Some(one) = self.rng.choice(&known) else {
                std::thread::yield_now();
                continue;
            };
            match self.rng.u32(..100) {
                0..50 => self.prune_old(&ask, &known)?,
                50..60 => self.prune(&ask, one)?,
                60..70 => self.pin(&ask, one)?,
                70..85 => self.leave_a_restore(&ask, one)?,
                _ => self.restore(&ask, one, nth)?,
            }
        }
        Ok(())
    }

    /// Lets go of what is old in object storage, or the test would fill the disk.
    fn prune_old(&mut self, ask: &Ask, newest_first: &[Checkpoint]) -> Result<(), Stop> {
        let replicated = newest_first.iter().filter(|it| it.tiers.contains(&Tier::Object));
        for old in replicated.skip(KEEP) {
            self.ask_to_prune(ask, old, Tier::Object)?;
        }
        Ok(())
    }

    /// Asks for what may well be refused.
    fn prune(&mut self, ask: &Ask, one: &Checkpoint) -> Result<(), Stop> {
        let tier = if self.rng.bool() { Tier::Nvme } else { Tier::Object };
        self.ask_to_prune(ask, one, tier)
    }

    fn ask_to_prune(&self, ask: &Ask, one: &Checkpoint, tier: Tier) -> Result<(), Stop> {
        let request = PruneRequest { tier, reason: "the operator of the test".into(), dry_run: false };
        match ask.run(ask.client.prune(&one.run, one.step, &request)) {
            // Gone, or refused by the guard. Whether it was right to admit one, the journal shows.
            Err(error) if matches!(error.code(), Some("TG0005" | "TG0006" | "TG0023")) => Ok(()),
            answer => self.shared.answer(answer).map(drop),
        }
    }

    fn pin(&mut self, ask: &Ask, one: &Checkpoint) -> Result<(), Stop> {
        let (name, set) = ((one.run.clone(), one.step), !one.pinned);
        self.shared.ledger().pins.insert(name.clone(), None);
        let answer = if set {
            ask.run(ask.client.pin(&one.run, one.step, "the operator of the test"))
        } else {
            ask.run(ask.client.unpin(&one.run, one.step, "the operator of the test"))
        };
        match answer {
            Err(error) if matches!(error.code(), Some("TG0005" | "TG0006")) => Ok(()),
            answer => {
                let pinned = self.shared.answer(answer)?.pinned;
                if pinned != set {
                    return Err(anyhow!("{name:?} is pinned: {pinned}, after {set} was asked for").into());
                }
                self.shared.ledger().pins.insert(name, Some(set));
                Ok(())
            }
        }
    }

    /// Asks for a restore on the tier and forgets it: a restart must not leave its directory.
    fn leave_a_restore(&self, ask: &Ask, one: &Checkpoint) -> Result<(), Stop> {
        let request =
            RestoreRequest { run: one.run.clone(), step: StepChoice::Step(one.step), ranks: None, into: None };
        match ask.run(ask.client.restore(&request, Duration::ZERO)) {
            Err(error) if matches!(error.code(), Some("TG0005" | "TG0006" | "TG0015")) => Ok(()),
            Err(error) if error.code() == Some("TG0014") && self.was_damaged(one) => Ok(()),
            answer => self.shared.answer(answer).map(drop),
        }
    }

    /// Whether the test has damaged some of its shards.
    fn was_damaged(&self, one: &Checkpoint) -> bool {
        let ledger = self.shared.ledger();
        (0..WORLD_SIZE).any(|rank| ledger.damaged.contains(&(one.run.clone(), one.step, rank)))
    }

    /// A restore that says that it is done is exact, also in the middle of all this.
    fn restore(&self, ask: &Ask, one: &Checkpoint, nth: u64) -> Result<(), Stop> {
        let into = self.scratch.join(format!("operator-{nth}"));
        let request = RestoreRequest {
            run: one.run.clone(),
            step: StepChoice::Step(one.step),
            ranks: None,
            into: Some(into.to_string_lossy().into_owned()),
        };
        let restore = match ask.run(ask.client.restore(&request, Duration::from_secs(20))) {
            Err(error) if matches!(error.code(), Some("TG0005" | "TG0006" | "TG0015")) => return Ok(()),
            Err(error) if error.code() == Some("TG0014") && self.was_damaged(one) => return Ok(()),
            answer => self.shared.answer(answer)?,
        };
        match (restore.state, &restore.error) {
            (RestoreState::Done, _) => check::exact(&mut self.shared.ledger(), &restore)?,
            // Nothing has rotted but what was damaged on purpose.
            (RestoreState::Failed, Some(why)) if why.code == "TG0014" && !self.was_damaged(one) => {
                return Err(anyhow!("LOST: {} step {} is not restored: {}", one.run, one.step, why.detail).into());
            }
            _ => {}
        }
        Ok(())
    }
}
