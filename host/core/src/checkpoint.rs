//! A checkpoint as the index keeps it. Every change carries the journal place that made it, so that the record can be
//! read *as of* an earlier place: that is the snapshot which a bot sees while it handles an event.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Digest, Metrics, Rank, RunName, Seq, Step, Timestamp, WorldSize};

/// Where bytes live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// The NVMe of this host.
    Nvme,
    /// An object target.
    Object,
}

impl Tier {
    /// All tiers, nearest first.
    pub const ALL: [Self; 2] = [Self::Nvme, Self::Object];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nvme => "nvme",
            Self::Object => "object",
        }
    }
}

/// Copies of a shard that are remembered, present and past.
const COPIES: usize = 16;

/// One copy of a shard, from when it came to when it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    /// Where it is.
    pub tier: Tier,
    /// When it came.
    pub since: Seq,
    /// When its digests were known to be right.
    pub verified: Option<Seq>,
    /// When it went: pruned, or found corrupt.
    pub gone: Option<Seq>,
    /// Whether it went because it was found damaged or missing, and not because somebody let it go.
    #[serde(default)]
    pub damaged: bool,
    /// The step of which this copy can't be read without the same rank's, on the same tier: it is kept as differences from it.
    #[serde(default)]
    pub base: Option<Step>,
}

impl Copy {
    /// Whether it is there now.
    pub fn live(&self) -> bool {
        self.gone.is_none()
    }
}

/// One rank's share of a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shard {
    /// Whose share.
    pub rank: Rank,
    /// Bytes.
    pub bytes: u64,
    /// Files.
    pub files: u32,
    /// When it was committed, or found on an object target.
    pub committed: Seq,
    /// The body's digest, once sealed.
    pub body: Option<Digest>,
    /// Where it is and was.
    pub copies: Vec<Copy>,
}

impl Shard {
    /// The live copy on a tier.
    pub fn copy(&self, tier: Tier) -> Option<&Copy> {
        self.copies.iter().find(|copy| copy.tier == tier && copy.live())
    }

    /// Whether a verified copy is on the tier.
    pub fn verified(&self, tier: Tier) -> bool {
        self.copy(tier).is_some_and(|copy| copy.verified.is_some())
    }

    /// A new copy; one that is there already stays, and is verified if this one is.
    pub fn add_copy(&mut self, tier: Tier, at: Seq, verified: bool) {
        let verified = verified.then_some(at);
        if let Some(copy) = self.copies.iter_mut().find(|copy| copy.tier == tier && copy.live()) {
            copy.verified = copy.verified.or(verified);
        } else {
            // Past copies are kept for readers of the past, the last ones only.
            if self.copies.len() >= COPIES
                && let Some(oldest) = self.copies.iter().position(|copy| !copy.live())
            {
                self.copies.remove(oldest);
            }
            self.copies.push(Copy { tier, since: at, verified, gone: None, damaged: false, base: None });
        }
    }

    /// Notes what the live copy on a tier is kept as differences from.
    pub fn note_base(&mut self, tier: Tier, base: Option<Step>) {
        self.copies.iter_mut().filter(|copy| copy.tier == tier && copy.live()).for_each(|copy| copy.base = base);
    }

    /// Whether some copy is believed to be whole: one on NVMe that was not found damaged, or a verified one in object
    /// storage. A copy there that was found damaged stays, unverified: not all of it may be, and it can be tried.
    pub fn believed(&self) -> bool {
        self.copy(Tier::Nvme).is_some() || self.verified(Tier::Object)
    }

    /// Whether no copy is believed to be whole, and the last one that was had not been let go but was found damaged or
    /// missing.
    pub fn lost(&self) -> bool {
        let last = self.copies.iter().filter(|copy| !copy.live()).max_by_key(|copy| copy.gone);
        !self.believed() && last.is_some_and(|last| last.damaged)
    }

    /// When its last copy on a tier went, if one did.
    pub fn went(&self, tier: Tier) -> Option<&Copy> {
        self.copies.iter().filter(|copy| copy.tier == tier && !copy.live()).max_by_key(|copy| copy.gone)
    }

    /// The copy on a tier is gone.
    pub fn drop_copy(&mut self, tier: Tier, at: Seq) {
        for copy in self.copies.iter_mut().filter(|copy| copy.tier == tier && copy.live()) {
            copy.gone = Some(at);
        }
    }
}

/// Somebody's wish that a checkpoint stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// A bot's name, or `operator`.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Seq,
    /// Until when, if it was taken back.
    pub until: Option<Seq>,
}

/// That another checkpoint's copy in object storage can't be read without this one's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// The step whose copy is kept as differences from this one.
    pub by: Step,
    /// Since when.
    pub since: Seq,
    /// Until when, if that copy went.
    pub until: Option<Seq>,
}

/// Needs that have ended and are remembered.
const NEEDS: usize = 16;

/// All that is known of one (run, step).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The run.
    pub run: RunName,
    /// The step.
    pub step: Step,
    /// How many ranks make it whole.
    pub world_size: WorldSize,
    /// When the first shard came.
    pub created: Timestamp,
    /// What the trainer reported; of one name the first to commit stands.
    pub metrics: Metrics,
    /// When the last missing rank committed.
    pub complete: Option<Seq>,
    /// When it had as many verified copies as its run's policy wants, since the last of them was found damaged.
    pub copies_met: Option<Seq>,
    /// Pins, also past ones.
    pub pins: Vec<Pin>,
    /// Shards by rank.
    pub shards: BTreeMap<Rank, Shard>,
    /// The place of the journal at which the last bytes of an earlier checkpoint of the same step had gone, if this one
    /// took the place of such a one; else 0.
    #[serde(default)]
    pub gone_before: Seq,
    /// Later checkpoints whose copies in object storage need this one's, also past ones.
    #[serde(default)]
    pub needed: Vec<Need>,
}

impl Checkpoint {
    /// One that has no shard yet.
    pub fn new(run: RunName, step: Step, world_size: WorldSize, created: Timestamp) -> Self {
        let (metrics, complete, copies_met, pins, shards, gone_before, needed) = Default::default();
        Self { run, step, world_size, created, metrics, complete, copies_met, pins, shards, gone_before, needed }
    }

    /// Bytes of the shards known here.
    pub fn bytes(&self) -> u64 {
        self.shards.values().fold(0, |sum, shard| sum.saturating_add(shard.bytes))
    }

    /// Whether every rank is known.
    pub fn has_all_ranks(&self) -> bool {
        self.shards.len() as u64 == u64::from(self.world_size)
    }

    /// Whether a tier holds any byte of it.
    pub fn present(&self, tier: Tier) -> bool {
        self.shards.values().any(|shard| shard.copy(tier).is_some())
    }

    /// Whether a tier holds every shard, digests verified, and the checkpoint is complete.
    pub fn verified(&self, tier: Tier) -> bool {
        self.complete.is_some() && self.shards.values().all(|shard| shard.verified(tier))
    }

    /// Tiers with a verified copy of all of it, nearest first.
    pub fn verified_tiers(&self) -> impl Iterator<Item = Tier> {
        Tier::ALL.into_iter().filter(|tier| self.verified(*tier))
    }

    /// Whether some tier has a verified copy of all of it.
    pub fn safe(&self) -> bool {
        self.verified_tiers().next().is_some()
    }

    /// Whether every shard has a copy that is believed to be whole.
    pub fn restorable(&self) -> bool {
        self.complete.is_some() && self.shards.values().all(Shard::believed)
    }

    /// Whether no tier holds a byte of it.
    pub fn gone(&self) -> bool {
        Tier::ALL.iter().all(|tier| !self.present(*tier))
    }

    /// Whether some of its bytes are lost, as far as is known: nobody let them go, and no tier has a copy of them that is
    /// believed to be whole.
    pub fn lost(&self) -> bool {
        self.shards.values().any(Shard::lost)
    }

    /// Whether people are told of it: some tier holds bytes of it, or it should hold some and they are lost.
    pub fn known(&self) -> bool {
        !self.gone() || self.lost()
    }

    /// The last place of the journal that this record names.
    pub fn last_place(&self) -> Seq {
        let copies = self.shards.values().flat_map(|shard| &shard.copies);
        let of_copies = copies.flat_map(|copy| [Some(copy.since), copy.verified, copy.gone]);
        let of_pins = self.pins.iter().flat_map(|pin| [Some(pin.since), pin.until]);
        let of_shards = self.shards.values().map(|shard| Some(shard.committed));
        let of_needs = self.needed.iter().flat_map(|need| [Some(need.since), need.until]);
        let own = [self.complete, self.copies_met, Some(self.gone_before)];
        own.into_iter()
            .chain(of_needs)
            .chain(of_copies)
            .chain(of_pins)
            .chain(of_shards)
            .flatten()
            .max()
            .unwrap_or_default()
    }

    /// The last place of the journal at which bytes of it went.
    pub fn went(&self) -> Seq {
        let gone = self.shards.values().flat_map(|shard| &shard.copies).filter_map(|copy| copy.gone).max();
        gone.unwrap_or_default().max(self.gone_before)
    }

    /// Lets go of what is lost: nobody is told of it any more.
    pub fn give_up(&mut self) {
        self.shards.values_mut().flat_map(|shard| &mut shard.copies).for_each(|copy| copy.damaged = false);
    }

    /// Takes a rank's copy on a tier out of the count, which was found damaged. The policy's copies are wanted anew: unlike
    /// a copy that was pruned, this one was never let go. False if there was none.
    pub fn damaged(&mut self, tier: Tier, rank: Rank, at: Seq) -> bool {
        let Some(shard) = self.shards.get_mut(&rank).filter(|shard| shard.copy(tier).is_some()) else { return false };
        shard.drop_copy(tier, at);
        shard
            .copies
            .iter_mut()
            .filter(|copy| copy.tier == tier && copy.gone == Some(at))
            .for_each(|it| it.damaged = true);
        self.copies_met = None;
        true
    }

    /// Notes when enough tiers hold verified copies. What is pruned afterwards does not change that; damage does.
    pub fn note_copies(&mut self, wanted: u32, at: Seq) {
        if self.copies_met.is_none() && self.verified_tiers().count() as u64 >= u64::from(wanted) {
            self.copies_met = Some(at);
        }
    }

    /// Whether somebody holds it now.
    pub fn pinned(&self) -> bool {
        self.pins.iter().any(|pin| pin.until.is_none())
    }

    /// The steps that its copy in object storage needs.
    pub fn bases(&self) -> BTreeSet<Step> {
        self.shards.values().filter_map(|shard| shard.copy(Tier::Object)?.base).collect()
    }

    /// The first step whose copy in object storage needs this one's.
    pub fn needed_by(&self) -> Option<Step> {
        self.needed.iter().filter(|need| need.until.is_none()).map(|need| need.by).min()
    }

    /// Notes whether a later checkpoint's copy in object storage needs this one's. True if that is news.
    pub fn note_need(&mut self, by: Step, needs: bool, at: Seq) -> bool {
        let open = self.needed.iter_mut().find(|need| need.by == by && need.until.is_none());
        match (open, needs) {
            (Some(_), true) | (None, false) => return false,
            (Some(need), false) => need.until = Some(at),
            (None, true) => self.needed.push(Need { by, since: at, until: None }),
        }
        let ended = |need: &Need| need.until.is_some();
        while self.needed.iter().filter(|need| ended(need)).count() > NEEDS
            && let Some(oldest) = self.needed.iter().position(ended)
        {
            self.needed.remove(oldest);
        }
        true
    }

    /// What it was when the journal had reached `seq`; none if it was not known or nothing of it was left.
    pub fn as_of(&self, seq: Seq) -> Option<Self> {
        let mut then = self.clone();
        let past = |at: &mut Option<Seq>| *at = at.filter(|at| *at <= seq);
        past(&mut then.complete);
        past(&mut then.copies_met);
        then.pins.retain(|pin| pin.since <= seq);
        then.pins.iter_mut().for_each(|pin| past(&mut pin.until));
        then.needed.retain(|need| need.since <= seq);
        then.needed.iter_mut().for_each(|need| past(&mut need.until));
        then.shards.retain(|_, shard| shard.committed <= seq);
        for shard in then.shards.values_mut() {
            shard.copies.retain(|copy| copy.since <= seq);
            for copy in &mut shard.copies {
                past(&mut copy.verified);
                past(&mut copy.gone);
            }
        }
        (!then.shards.is_empty() && !then.gone()).then_some(then)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn empty() -> Checkpoint {
        let number = |n: u64| n;
        Checkpoint::new(
            "r".parse().unwrap(),
            number(1).try_into().unwrap(),
            number(2).try_into().unwrap(),
            Timestamp(0),
        )
    }

    /// What may happen to a checkpoint, in the form of a number.
    fn change(checkpoint: &mut Checkpoint, op: u8, at: Seq) {
        let rank = Rank::try_from(u64::from(op & 1)).unwrap();
        match (op >> 1) % 6 {
            5 => drop(checkpoint.note_need(Step::try_from(9).unwrap(), op & 1 == 0, at)),
            0 => {
                let fresh = Shard { rank, bytes: 1, files: 1, committed: at, body: None, copies: vec![] };
                checkpoint.shards.entry(rank).or_insert(fresh).add_copy(Tier::Nvme, at, false);
                if checkpoint.complete.is_none() && checkpoint.has_all_ranks() {
                    checkpoint.complete = Some(at);
                }
            }
            1 | 2 => {
                let tier = if (op >> 1) % 6 == 1 { Tier::Nvme } else { Tier::Object };
                if let Some(shard) = checkpoint.shards.get_mut(&rank) {
                    shard.add_copy(tier, at, true);
                }
            }
            3 => {
                if let Some(shard) = checkpoint.shards.get_mut(&rank) {
                    shard.drop_copy(Tier::Nvme, at);
                }
            }
            _ => match checkpoint.pins.iter_mut().find(|pin| pin.until.is_none()) {
                Some(pin) => pin.until = Some(at),
                None => checkpoint.pins.push(Pin { by: "b".into(), reason: "r".into(), since: at, until: None }),
            },
        }
    }

    fn seen(checkpoint: &Checkpoint) -> impl PartialEq + std::fmt::Debug {
        let tiers: Vec<_> = Tier::ALL.iter().map(|t| (checkpoint.present(*t), checkpoint.verified(*t))).collect();
        (tiers, checkpoint.pinned(), checkpoint.needed_by(), checkpoint.complete, checkpoint.bytes())
    }

    proptest! {
        #[test]
        fn the_past_reads_as_it_was(ops in prop::collection::vec(any::<u8>(), 1..40)) {
            let mut checkpoint = empty();
            let mut snapshots = Vec::new();
            for (index, op) in ops.iter().enumerate() {
                let at = index as Seq + 1;
                change(&mut checkpoint, *op, at);
                snapshots.push((at, checkpoint.clone()));
            }
            for (at, then) in snapshots {
                match checkpoint.as_of(at) {
                    Some(read) => prop_assert_eq!(seen(&read), seen(&then), "as of {}", at),
                    None => prop_assert!(then.gone(), "as of {}", at),
                }
            }
        }
    }
}
