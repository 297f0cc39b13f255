//! Checkpoints of which nothing is left. A bot that has not come so far yet, and a trial of recorded events, still see them
//! as they were; people and everybody in the present never read over them, however many there are.
//!
//! A record moves here in the very change that takes the last of it out of the count, and back when the step is committed
//! again: [`Tx::put_checkpoint`] decides. A second key says at which place of the journal each has ended, so that a reader at
//! some place opens only those that ended later. What else is asked of all of them stands there as well.

use std::{collections::BTreeSet, ops::Bound};

use tidegate_core::{Checkpoint, RunName, Seq, Step};

use super::{Space, Tx, View, checkpoint_key, spaces::run_keys};
use crate::Result;

fn end_key(run: &RunName, end: Seq, step: Step) -> Vec<u8> {
    [run.as_str().as_bytes(), &[0], &end.to_be_bytes(), &step.get().to_be_bytes()].concat()
}

/// What an end's key says; none for what is not one.
fn parse_end(key: &[u8]) -> Option<(RunName, Seq, Step)> {
    let zero = key.iter().position(|byte| *byte == 0)?;
    let run = std::str::from_utf8(key.get(..zero)?).ok()?.parse().ok()?;
    let (end, step) = key.get(zero + 1..)?.split_at_checked(8)?;
    let step = u64::from_be_bytes(step.try_into().ok()?).try_into().ok()?;
    Some((run, u64::from_be_bytes(end.try_into().ok()?), step))
}

impl Tx<'_> {
    /// Writes a checkpoint: to where people look, or to the past if nothing of it is left.
    ///
    /// # Errors
    /// An index that can't be read, a damaged record.
    pub fn put_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let (run, step) = (&checkpoint.run, checkpoint.step);
        let key = checkpoint_key(run, step);
        self.forget(run, step)?;
        if checkpoint.known() {
            return self.put(Space::Checkpoints, &key, checkpoint);
        }
        // Most records never come here: it is removed only where there is one.
        if self.bytes(Space::Checkpoints, &key)?.is_some() {
            self.put_bytes(Space::Checkpoints, &key, None);
        }
        self.put(Space::Past, &key, checkpoint)?;
        let last = checkpoint.last_place().to_be_bytes();
        self.put_bytes(Space::PastEnds, &end_key(run, checkpoint.went(), step), Some(last.into()));
        Ok(())
    }

    /// Removes what the past holds of a step, if anything.
    ///
    /// # Errors
    /// An index that can't be read, a damaged record.
    pub fn forget(&mut self, run: &RunName, step: Step) -> Result<()> {
        let key = checkpoint_key(run, step);
        if let Some(old) = self.get::<Checkpoint>(Space::Past, &key)? {
            self.put_bytes(Space::Past, &key, None);
            self.put_bytes(Space::PastEnds, &end_key(run, old.went(), step), None);
        }
        Ok(())
    }
}

impl View {
    /// Calls `each` with a run's checkpoints below `before` of which something was left at a place of the journal or is now,
    /// newest first, while it answers true. They are as they are now: [`Checkpoint::as_of`] tells what they were then.
    ///
    /// # Errors
    /// An index that can't be read, or a damaged record.
    pub fn checkpoints_since(
        &self,
        run: &RunName,
        before: Option<Step>,
        place: Seq,
        mut each: impl FnMut(Checkpoint) -> bool,
    ) -> Result<()> {
        let mut past = self.ended_after(run, place)?;
        if let Some(before) = before {
            past.split_off(&before);
        }
        let mut more = true;
        self.records(run, before, |checkpoint| {
            let newer = past.split_off(&checkpoint.step);
            more = self.each_past(run, newer, &mut each)? && each(checkpoint);
            Ok(more)
        })?;
        if more {
            self.each_past(run, past, &mut each)?;
        }
        Ok(())
    }

    /// False if `each` wants no more.
    fn each_past(
        &self,
        run: &RunName,
        steps: BTreeSet<Step>,
        each: &mut impl FnMut(Checkpoint) -> bool,
    ) -> Result<bool> {
        for step in steps.into_iter().rev() {
            if let Some(checkpoint) = self.get(Space::Past, &checkpoint_key(run, step))?
                && !each(checkpoint)
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Steps of a run whose last bytes went after a place of the journal.
    fn ended_after(&self, run: &RunName, place: Seq) -> Result<BTreeSet<Step>> {
        let (mut low, high) = run_keys(run);
        low.extend_from_slice(&place.saturating_add(1).to_be_bytes());
        let mut steps = BTreeSet::new();
        self.scan(Space::PastEnds, (Bound::Included(&low), Bound::Excluded(&high)), false, |key, _| {
            steps.extend(parse_end(key).map(|(_, _, step)| step));
            Ok(true)
        })?;
        Ok(steps)
    }

    /// Checkpoints of the past whose last bytes went at this place of the journal or before, by their names.
    ///
    /// # Errors
    /// An index that can't be read.
    pub fn ended_by(&self, place: Seq) -> Result<Vec<(RunName, Step)>> {
        let mut ended = Vec::new();
        self.scan(Space::PastEnds, (Bound::Unbounded, Bound::Unbounded), false, |key, _| {
            let named = parse_end(key).filter(|(_, end, _)| *end <= place);
            ended.extend(named.map(|(run, _, step)| (run, step)));
            Ok(true)
        })?;
        Ok(ended)
    }

    /// The last place of the journal that a record of the past names; 0 if there is none.
    pub(crate) fn past_reached(&self) -> Result<Seq> {
        let mut last = 0;
        self.scan(Space::PastEnds, (Bound::Unbounded, Bound::Unbounded), false, |_, value| {
            last = last.max(value.try_into().map_or(0, Seq::from_be_bytes));
            Ok(true)
        })?;
        Ok(last)
    }

    /// As [`View::runs`], and those of which only the past knows.
    ///
    /// # Errors
    /// An index that can't be read.
    pub fn runs_ever(&self, after: Option<&RunName>, limit: usize) -> Result<Vec<RunName>> {
        let mut runs: BTreeSet<RunName> = self.runs(after, limit)?.into_iter().collect();
        runs.extend(self.runs_of(Space::PastEnds, after, limit)?);
        Ok(runs.into_iter().take(limit).collect())
    }
}

#[cfg(test)]
mod tests;
