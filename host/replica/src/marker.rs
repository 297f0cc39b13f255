//! The marker of a complete checkpoint: what a host that never saw it needs to know.

use serde::{Deserialize, Serialize};
use tidegate_core::{Digest, Metrics, Rank, RunName, Step, WorldSize, cbor, limits};

use crate::target::FoundShard;

/// The most bytes of a marker: some 110 for each rank of the largest world.
pub(crate) const MARKER_BYTES: usize = 8 << 20;

const VERSION: u32 = 1;
/// Where a shard is packed: a host that knows only files must not take it for whole.
const PACKED: u32 = 2;

/// A complete checkpoint on a target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Marker {
    version: u32,
    pub(crate) run: RunName,
    pub(crate) step: Step,
    pub(crate) world_size: WorldSize,
    pub(crate) metrics: Metrics,
    shards: Vec<Entry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    body: Digest,
    bytes: u64,
    files: u32,
    /// Bytes of its packs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    packed: Option<u64>,
    /// The step that it needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<Step>,
}

impl Marker {
    /// A marker of all ranks, which come in order.
    pub(crate) fn new(
        run: RunName,
        step: Step,
        world_size: WorldSize,
        metrics: Metrics,
        shards: &[FoundShard],
    ) -> Result<Self, String> {
        let entry = |shard: &FoundShard| {
            let FoundShard { body, bytes, files, packed, base, .. } = *shard;
            Entry { body, bytes, files, packed, base }
        };
        if !shards.iter().map(|shard| shard.rank.get()).eq(0..world_size.get()) {
            return Err("not every rank once".into());
        }
        let shards: Vec<Entry> = shards.iter().map(entry).collect();
        let version = version(&shards);
        Ok(Self { version, run, step, world_size, metrics, shards })
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, String> {
        cbor::encode(self).map_err(|error| error.to_string())
    }

    /// Reads a marker that must be of this run and step; trusts nothing in it.
    pub(crate) fn decode(bytes: &[u8], run: &RunName, step: Step) -> Result<Self, String> {
        let marker: Self = cbor::decode(bytes, MARKER_BYTES).map_err(|error| format!("no marker: {error}"))?;
        if marker.version != version(&marker.shards) {
            return Err(format!("marker of version {}, and this host reads versions up to {PACKED}", marker.version));
        }
        if marker.run != *run || marker.step != step {
            return Err(format!("it is of step {} of {}", marker.step, marker.run));
        }
        if marker.shards.len() as u64 != u64::from(marker.world_size) {
            return Err(format!("{} shards of a world of {}", marker.shards.len(), marker.world_size));
        }
        let absurd = |entry: &Entry| entry.bytes > limits::SHARD_BYTES || entry.files as usize > limits::SHARD_FILES;
        if marker.shards.iter().any(absurd) {
            return Err("a shard of more files or bytes than one may have".into());
        }
        if marker.shards.iter().any(|entry| entry.base.is_some_and(|base| base >= step)) {
            return Err("a shard that needs a later one".into());
        }
        Ok(marker)
    }

    /// The shards with their ranks.
    pub(crate) fn shards(&self) -> Vec<FoundShard> {
        let numbered = (0..).zip(&self.shards).filter_map(|(rank, entry)| {
            let Entry { body, bytes, files, packed, base } = *entry;
            Some(FoundShard { rank: Rank::try_from(rank).ok()?, body, bytes, files, packed, base })
        });
        numbered.collect()
    }
}

fn version(shards: &[Entry]) -> u32 {
    if shards.iter().any(|shard| shard.packed.is_some()) { PACKED } else { VERSION }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker() -> Marker {
        let shard = |rank: u64| FoundShard {
            rank: rank.try_into().unwrap(),
            body: Digest::of(&rank.to_le_bytes()),
            bytes: 10 + rank,
            files: 3,
            packed: (rank == 1).then_some(9),
            base: (rank == 1).then(|| 4.try_into().unwrap()),
        };
        let (run, step) = ("gpt".parse().unwrap(), 5.try_into().unwrap());
        Marker::new(run, step, 2.try_into().unwrap(), Metrics::default(), &[shard(0), shard(1)]).unwrap()
    }

    #[test]
    fn a_marker_survives_the_wire() {
        let marker = marker();
        let read = Marker::decode(&marker.encode().unwrap(), &marker.run, marker.step).unwrap();
        assert_eq!((read.shards(), &read), (marker.shards(), &marker));
    }

    #[test]
    fn a_marker_that_lies_is_refused() {
        let good = marker();
        let lies: [fn(&mut Marker); 7] = [
            |m| m.version = 1,
            |m| m.run = "other".parse().unwrap(),
            |m| m.step = 6.try_into().unwrap(),
            |m| m.world_size = 3.try_into().unwrap(),
            |m| m.shards[0].bytes = u64::MAX,
            |m| m.shards[1].files = u32::MAX,
            |m| m.shards[1].base = Some(m.step),
        ];
        for (nth, lie) in lies.iter().enumerate() {
            let mut bad = good.clone();
            lie(&mut bad);
            assert!(Marker::decode(&bad.encode().unwrap(), &good.run, good.step).is_err(), "lie {nth}");
        }
    }

    #[test]
    fn a_marker_needs_every_rank_once() {
        let shards = marker().shards();
        let (run, step, world) = ("gpt".parse().unwrap(), 5.try_into().unwrap(), 2.try_into().unwrap());
        for bad in [vec![shards[0]], vec![shards[1], shards[0]], vec![shards[0], shards[0]]] {
            assert!(Marker::new(RunName::clone(&run), step, world, Metrics::default(), &bad).is_err());
        }
    }
}
