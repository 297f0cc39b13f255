//! What the host promised, written down outside of it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail, ensure};
use tidegate_tests_support::tree::Tree;

use super::history::History;

/// Run, step and rank.
pub(super) type Shard = (String, u64, u32);

/// One save, from the moment before its begin was asked for.
#[derive(Debug)]
pub(super) struct Attempt {
    tree: Tree,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Its commit was never asked for.
    Begun,
    /// Its commit was asked for, and there is no answer.
    Requested,
    /// It is committed, at this place of the journal.
    Committed(u64),
    /// It was refused or aborted, or a restart has shown that it is not there.
    Dead,
}

/// A save in the ledger.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) shard: Shard,
    nth: usize,
}

/// All saves, and what was damaged on purpose.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    attempts: BTreeMap<Shard, Vec<Attempt>>,
    /// Pins that were acknowledged (true) or taken back; none where an answer is missing.
    pub(super) pins: BTreeMap<(String, u64), Option<bool>>,
    /// Shards whose copy on the tier was damaged behind the host's back.
    pub(super) damaged: BTreeSet<Shard>,
    /// Steps of which something was damaged: what is left of them in the bucket is nobody's.
    pub(super) scarred: BTreeSet<(String, u64)>,
    /// Commits that were answered.
    pub(super) acknowledged: u64,
    /// Commits that the kill left without an answer, and how many of them turned out to be there.
    pub(super) unanswered: (u64, u64),
    /// Saves that the kill met before their commit.
    pub(super) unfinished: u64,
    /// Checkpoints that were restored and compared, and their bytes.
    pub(super) restored: (u64, u64),
}

impl Ledger {
    pub(super) fn begin(&mut self, shard: Shard) -> Entry {
        let attempts = self.attempts.entry(shard.clone()).or_default();
        attempts.push(Attempt { tree: Tree::default(), state: State::Begun });
        Entry { shard, nth: attempts.len() - 1 }
    }

    fn attempt(&mut self, entry: &Entry) -> &mut Attempt {
        &mut self.attempts.get_mut(&entry.shard).expect("it was begun")[entry.nth]
    }

    /// The commit of these files is about to be asked for.
    pub(super) fn requested(&mut self, entry: &Entry, tree: Tree) {
        *self.attempt(entry) = Attempt { tree, state: State::Requested };
    }

    pub(super) fn committed(&mut self, entry: &Entry, seq: u64) {
        self.acknowledged += 1;
        self.attempt(entry).state = State::Committed(seq);
    }

    pub(super) fn dead(&mut self, entry: &Entry) {
        self.attempt(entry).state = State::Dead;
    }

    /// What the shard must hold; none if it was never committed.
    pub(super) fn tree(&self, shard: &Shard) -> Option<&Tree> {
        let attempts = self.attempts.get(shard)?;
        attempts.iter().rev().find(|attempt| matches!(attempt.state, State::Committed(_))).map(|attempt| &attempt.tree)
    }

    /// The same; while its commit is not answered yet, what was asked for: others may see it before the answer is here.
    pub(super) fn tree_asked_for(&self, shard: &Shard) -> Option<&Tree> {
        let attempts = self.attempts.get(shard)?;
        let asked = || attempts.iter().rev().find(|attempt| attempt.state == State::Requested);
        self.tree(shard).or_else(|| asked().map(|attempt| &attempt.tree))
    }

    pub(super) fn has(&self, shard: &Shard) -> bool {
        self.tree(shard).is_some()
    }

    /// The last step of a run that anybody has begun; 0 if there is none.
    pub(super) fn last_step(&self, run: &str) -> u64 {
        self.attempts.keys().filter(|(of, ..)| of == run).map(|(_, step, _)| *step).max().unwrap_or(0)
    }

    /// The newest step of a run that both ranks have committed; 0 if there is none.
    pub(super) fn newest_complete(&self, run: &str) -> u64 {
        let steps = self.attempts.keys().filter(|(of, _, rank)| of == run && *rank == 0).map(|(_, step, _)| *step);
        let complete = steps.rev().find(|step| (0..2).all(|rank| self.has(&(run.to_owned(), *step, rank))));
        complete.unwrap_or(0)
    }

    /// Settles the open questions by the journal, and compares the rest with it: every acknowledged commit is where its
    /// answer said, every commit of the journal was asked for, and none that was not.
    pub(super) fn settle(&mut self, history: &History) -> Result<()> {
        for (shard, attempts) in &mut self.attempts {
            let found = history.commits_of(shard);
            let mut claimed = BTreeSet::new();
            for Attempt { tree, state } in attempts.iter() {
                let State::Committed(seq) = state else { continue };
                let Some(commit) = found.iter().find(|commit| commit.seq == *seq) else {
                    bail!("LOST: {shard:?} was acknowledged at {seq}; the journal has its commits at {found:?}");
                };
                let (bytes, files) = (tree.bytes(), tree.files());
                ensure!((commit.bytes, commit.files) == (bytes, files), "{shard:?}: {commit:?} is not of {tree:?}");
                claimed.insert(*seq);
            }
            for commit in found.iter().filter(|commit| !claimed.contains(&commit.seq)) {
                let of_it = |attempt: &&mut Attempt| {
                    let Attempt { tree, state } = attempt;
                    *state == State::Requested && (tree.bytes(), tree.files()) == (commit.bytes, commit.files)
                };
                let Some(attempt) = attempts.iter_mut().find(of_it) else {
                    bail!("STRAY: {shard:?} has {commit:?} in the journal, which nobody asked for: {attempts:?}");
                };
                attempt.state = State::Committed(commit.seq);
                self.unanswered.1 += 1;
            }
            for attempt in attempts.iter_mut() {
                match attempt.state {
                    State::Requested => self.unanswered.0 += 1,
                    State::Begun => self.unfinished += 1,
                    State::Committed(_) | State::Dead => continue,
                }
                attempt.state = State::Dead;
            }
            let mut trees = attempts.iter().filter(|attempt| matches!(attempt.state, State::Committed(_)));
            let first = trees.next().map(|attempt| &attempt.tree);
            ensure!(trees.all(|attempt| Some(&attempt.tree) == first), "{shard:?} was committed with different bytes");
        }
        if let Some(stranger) = history.shards().find(|shard| !self.attempts.contains_key(*shard)) {
            bail!("STRAY: {stranger:?} is in the journal and was never begun");
        }
        Ok(())
    }
}
