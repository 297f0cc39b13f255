//! A checkpoint made anew from the facts that tell of it: what is left of a host whose journal somebody kept.
//!
//! Facts tell less than a host knows. What trainers reported, digests of bodies, and copies that were found in object storage
//! of a checkpoint that no other fact tells of are not in them; digests count from the fact that all of them exist.

use crate::{Checkpoint, Event, EventKind, Pin, RunName, Seq, Shard, Step, Tier};

impl EventKind {
    /// The checkpoint that it changes, if it changes one.
    pub fn changes(&self) -> Option<(&RunName, Step)> {
        match self {
            Self::ShardCommitted { run, step, .. }
            | Self::CheckpointComplete { run, step, .. }
            | Self::CheckpointSealed { run, step }
            | Self::CheckpointReplicated { run, step, .. }
            | Self::CheckpointPruned { run, step, .. }
            | Self::CheckpointFound { run, step, .. }
            | Self::ShardCorrupt { run, step, .. }
            | Self::Pinned { run, step, .. }
            | Self::Unpinned { run, step, .. } => Some((run, *step)),
            Self::BotStarted { .. }
            | Self::BotQuarantined { .. }
            | Self::BotRolledBack { .. }
            | Self::BotWoken { .. }
            | Self::IndexRebuilt { .. }
            | Self::JobFinished { .. } => None,
        }
    }
}

impl Checkpoint {
    /// What a checkpoint is after a fact about it, where `known` is what it was before. `wanted` are the verified copies that
    /// the host's policy wants. None if no fact has told of its bytes.
    pub fn after(known: Option<Self>, event: &Event, wanted: u32) -> Option<Self> {
        if let EventKind::ShardCommitted { run, step, world_size, .. } = &event.kind {
            let gone_before = known.as_ref().map(Self::went).unwrap_or_default();
            let fresh = || Self { gone_before, ..Self::new(run.clone(), *step, *world_size, event.time) };
            let mut it = known.filter(|known| !known.gone()).unwrap_or_else(fresh);
            it.commit(event);
            return Some(it);
        }
        let mut it = known?;
        it.learn(event, wanted);
        Some(it)
    }

    fn commit(&mut self, event: &Event) {
        let EventKind::ShardCommitted { rank, bytes, files, .. } = &event.kind else { return };
        let (rank, at) = (*rank, event.seq);
        let fresh = Shard { rank, bytes: *bytes, files: *files, committed: at, body: None, copies: Vec::new() };
        let shard = self.shards.entry(rank).or_insert_with(|| fresh.clone());
        if !shard.copies.iter().any(crate::Copy::live) {
            // What was lost is replaced.
            *shard = fresh;
        }
        shard.add_copy(Tier::Nvme, at, false);
    }

    fn learn(&mut self, event: &Event, wanted: u32) {
        let at = event.seq;
        match &event.kind {
            EventKind::CheckpointComplete { .. } => self.complete = self.complete.or(Some(at)),
            EventKind::CheckpointSealed { .. } => {
                self.each_copy(|shard| shard.copy(Tier::Nvme).is_some(), Tier::Nvme, at);
                self.note_copies(wanted, at);
            }
            EventKind::CheckpointReplicated { .. } => {
                self.each_copy(|_| true, Tier::Object, at);
                self.note_copies(wanted, at);
            }
            EventKind::CheckpointFound { .. } => {
                self.each_copy(|_| true, Tier::Object, at);
                self.complete = self.complete.or(self.has_all_ranks().then_some(at));
                self.copies_met = self.complete;
            }
            EventKind::CheckpointPruned { tier, .. } => {
                self.shards.values_mut().for_each(|shard| shard.drop_copy(*tier, at));
                self.give_up();
            }
            EventKind::ShardCorrupt { rank, tier, .. } => {
                let counted = self.shards.get(rank).is_some_and(|shard| *tier == Tier::Nvme || shard.verified(*tier));
                if counted && self.damaged(*tier, *rank, at) && *tier == Tier::Object {
                    // It can still be tried.
                    self.shards.entry(*rank).and_modify(|shard| shard.add_copy(Tier::Object, at, false));
                }
            }
            EventKind::Pinned { by, reason, .. } => {
                self.pins.push(Pin { by: by.clone(), reason: reason.clone(), since: at, until: None });
            }
            EventKind::Unpinned { by, .. } => {
                let held = self.pins.iter_mut().filter(|pin| pin.by == *by && pin.until.is_none());
                held.for_each(|pin| pin.until = Some(at));
            }
            _ => {}
        }
    }

    fn each_copy(&mut self, fits: impl Fn(&Shard) -> bool, tier: Tier, at: Seq) {
        self.shards.values_mut().filter(|shard| fits(shard)).for_each(|shard| shard.add_copy(tier, at, true));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    /// A checkpoint after these facts, one a place.
    fn after(facts: &[EventKind]) -> Option<Checkpoint> {
        let events = (1..).zip(facts).map(|(seq, kind)| {
            let host = "h".parse().unwrap();
            Event { seq, time: Timestamp(seq), host, kind: kind.clone() }
        });
        events.fold(None, |known, event| Checkpoint::after(known, &event, 2))
    }

    fn name() -> (RunName, Step) {
        ("r".parse().unwrap(), 5.try_into().unwrap())
    }

    fn committed(rank: u64) -> EventKind {
        let ((run, step), rank, world_size) = (name(), rank.try_into().unwrap(), 2.try_into().unwrap());
        EventKind::ShardCommitted { run, step, rank, world_size, bytes: 10, files: 1 }
    }

    fn whole() -> Vec<EventKind> {
        let (run, step) = name();
        let complete = EventKind::CheckpointComplete { run: run.clone(), step, bytes: 20 };
        vec![committed(0), committed(1), complete, EventKind::CheckpointSealed { run, step }]
    }

    fn replicated() -> EventKind {
        let ((run, step), target) = (name(), "t".parse().unwrap());
        EventKind::CheckpointReplicated { run, step, target, bytes: 20, verified: "size".into() }
    }

    fn pruned(tier: Tier) -> EventKind {
        let (run, step) = name();
        EventKind::CheckpointPruned { run, step, tier, bytes: 20, reason: "old".into() }
    }

    #[test]
    fn a_checkpoint_comes_and_goes_as_its_facts_tell() {
        let it = after(&whole()).unwrap();
        assert_eq!((it.bytes(), it.complete, it.created), (20, Some(3), Timestamp(1)));
        assert!(it.verified(Tier::Nvme) && !it.present(Tier::Object) && it.copies_met.is_none());
        assert!(!it.as_of(3).unwrap().verified(Tier::Nvme), "not before it was sealed");

        let facts = [whole(), vec![replicated(), pruned(Tier::Nvme)]].concat();
        let it = after(&facts).unwrap();
        assert_eq!((it.copies_met, it.present(Tier::Nvme), it.verified(Tier::Object)), (Some(5), false, true));
        assert!(after(&[facts, vec![pruned(Tier::Object)]].concat()).unwrap().gone());
    }

    #[test]
    fn a_step_that_is_committed_again_begins_anew() {
        let facts = [whole(), vec![pruned(Tier::Nvme), committed(1)]].concat();
        let it = after(&facts).unwrap();
        assert_eq!((it.shards.len(), it.complete, it.gone_before), (1, None, 5));
    }

    #[test]
    fn damage_counts_against_copies_and_pins_are_somebodys() {
        let (run, step) = name();
        let rank = 1.try_into().unwrap();
        let corrupt = |tier| EventKind::ShardCorrupt { run: run.clone(), step, rank, tier, detail: "bits".into() };
        let it = after(&[whole(), vec![corrupt(Tier::Nvme)]].concat()).unwrap();
        assert!(it.lost() && !it.restorable());
        let it = after(&[whole(), vec![replicated(), corrupt(Tier::Object)]].concat()).unwrap();
        assert!(it.present(Tier::Object) && !it.verified(Tier::Object) && it.copies_met.is_none());

        let by = |by: &str| (run.clone(), step, by.to_owned(), "why".to_owned());
        let pinned = |(run, step, by, reason)| EventKind::Pinned { run, step, by, reason };
        let unpinned = |(run, step, by, reason)| EventKind::Unpinned { run, step, by, lifted_by: None, reason };
        let both = [whole(), vec![pinned(by("a")), pinned(by("b")), unpinned(by("a"))]].concat();
        assert!(after(&both).unwrap().pinned());
        assert!(!after(&[both, vec![unpinned(by("b"))]].concat()).unwrap().pinned());
    }

    #[test]
    fn what_no_commit_tells_of_is_not_known() {
        assert_eq!(after(&[replicated()]), None);
    }
}
