//! A trainer: one rank of one run, saving step after step.

use std::{collections::BTreeMap, ops::Range, path::Path};

use anyhow::{anyhow, ensure};
use fastrand::Rng;
use tidegate_client::api::{Begin, Commit, Committed, Save};
use tidegate_tests_support::tree::{Plan, Tree};

use super::{
    ledger::Entry,
    shared::{Shared, Stop},
};
use crate::ask::Ask;

/// One rank.
pub(super) struct Writer<'a> {
    pub(super) shared: &'a Shared,
    pub(super) run: &'a str,
    pub(super) rank: u32,
    pub(super) rng: Rng,
}

/// Every checkpoint is of two ranks.
pub(super) const WORLD_SIZE: u32 = 2;

impl Writer<'_> {
    /// Saves those of these steps that it has not saved yet, until the host is killed. One that is through leaves the
    /// host to what it does behind the trainers.
    pub(super) fn save_all(mut self, socket: &Path, steps: Range<u64>) -> Result<(), Stop> {
        let ask = Ask::new(socket)?;
        for step in steps {
            if !self.shared.ledger().has(&(self.run.to_owned(), step, self.rank)) {
                self.step(&ask, step)?;
            }
            self.shared.keep_pace(self.run, self.rank, step)?;
        }
        Ok(())
    }

    /// Saves one step, perhaps at the second try, and perhaps asks for more than is needed.
    fn step(&mut self, ask: &Ask, step: u64) -> Result<(), Stop> {
        let plan = Plan::random(self.rng.u64(..));
        match self.rng.u32(..100) {
            0..8 => {
                // A trainer that changes its mind.
                let (entry, save) = self.begin(ask, step, &plan)?;
                self.fill(&plan, &save)?;
                self.shared.answer(ask.run(ask.client.abort(&save.save_id)))?;
                self.shared.ledger().dead(&entry);
            }
            8..12 => {
                // One that forgets its save: the host must not.
                let (_, save) = self.begin(ask, step, &plan)?;
                self.fill(&plan, &save)?;
                self.shared.answer(ask.run(ask.client.touch(&save.save_id)))?;
            }
            _ => {}
        }
        let (save, committed) = self.commit(ask, step, &plan)?;
        match self.rng.u32(..100) {
            0..10 => {
                // An answer that was lost on the way is asked for again.
                let again = self.shared.answer(ask.run(ask.client.commit(&save.save_id, &metrics(step))))?;
                ensured(again == committed, || format!("{again:?} after {committed:?}"))?;
            }
            10..18 => {
                let (_, again) = self.commit(ask, step, &plan)?;
                ensured(again.bytes == committed.bytes, || format!("{again:?} after {committed:?}"))?;
            }
            18..26 => self.commit_other_bytes(ask, step)?,
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, ask: &Ask, step: u64, plan: &Plan) -> Result<(Entry, Save), Stop> {
        let entry = self.shared.ledger().begin((self.run.to_owned(), step, self.rank));
        let bytes = self.rng.bool().then(|| plan.bytes());
        let begin = Begin { run: self.run.to_owned(), step, rank: self.rank, world_size: WORLD_SIZE, bytes };
        let save = self.shared.answer(ask.run(ask.client.begin(&begin)))?;
        Ok((entry, save))
    }

    fn fill(&self, plan: &Plan, save: &Save) -> Result<Tree, Stop> {
        plan.write(Path::new(&save.path)).map_err(|error| anyhow!("write into {}: {error}", save.path).into())
    }

    fn commit(&mut self, ask: &Ask, step: u64, plan: &Plan) -> Result<(Save, Committed), Stop> {
        let (entry, save) = self.begin(ask, step, plan)?;
        let tree = self.fill(plan, &save)?;
        let (bytes, files) = (tree.bytes(), tree.files());
        self.shared.ledger().requested(&entry, tree);
        let committed = self.shared.answer(ask.run(ask.client.commit(&save.save_id, &metrics(step))))?;
        self.shared.ledger().committed(&entry, committed.seq);
        let told = (committed.run.as_str(), committed.step, committed.rank, committed.bytes, committed.files);
        ensured(told == (self.run, step, self.rank, bytes, files), || format!("{committed:?} for {entry:?}"))?;
        Ok((save, committed))
    }

    /// A committed shard never changes.
    fn commit_other_bytes(&mut self, ask: &Ask, step: u64) -> Result<(), Stop> {
        let plan = Plan::random(self.rng.u64(..));
        let (entry, save) = self.begin(ask, step, &plan)?;
        let tree = self.fill(&plan, &save)?;
        self.shared.ledger().requested(&entry, tree);
        match ask.run(ask.client.commit(&save.save_id, &metrics(step))) {
            Err(error) if error.code() == Some("TG0008") => self.shared.ledger().dead(&entry),
            other => {
                let committed = self.shared.answer(other)?;
                return Err(anyhow!("{committed:?}: other bytes were taken").into());
            }
        }
        Ok(())
    }
}

fn ensured(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Stop> {
    let check = || {
        ensure!(holds, "{}", otherwise());
        Ok(())
    };
    Ok(check()?)
}

fn metrics(step: u64) -> Commit {
    Commit { metrics: BTreeMap::from([("loss".to_owned(), 1.0 / step as f64)]) }
}
