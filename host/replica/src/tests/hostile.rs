//! What a target holds is not believed: manifests and markers with any damage are refused, or read as they were.

use object_store::{ObjectStoreExt, PutPayload, path::Path};
use proptest::prelude::*;

use super::*;

struct Victim {
    runtime: tokio::runtime::Runtime,
    target: Target,
    shard: Shard,
}

impl Victim {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let target = Target::open("t".parse().unwrap(), "memory://", options()).unwrap();
        let shard = Shard::new(&[("a", bytes(1, 10)), ("b/c", bytes(2, 20))]);
        runtime.block_on(async {
            shard.ship(&target).await.unwrap();
            assert!(target.mark_complete(&place().0, place().1).await.unwrap());
        });
        Self { runtime, target, shard }
    }

    fn read(&self, object: &Path) -> Vec<u8> {
        self.runtime.block_on(async { self.target.store().get(object).await.unwrap().bytes().await.unwrap().to_vec() })
    }

    fn write(&self, object: &Path, bytes: Vec<u8>) {
        self.runtime.block_on(self.target.store().put(object, PutPayload::from(bytes))).unwrap();
    }

    /// Reads the manifest and the markers; both must be as they were or refused.
    fn check(&self) -> Result<(), TestCaseError> {
        let (run, step) = place();
        match self.runtime.block_on(self.target.body(&run, step, self.shard.body.rank)) {
            Ok((body, digest)) => prop_assert_eq!((&body, digest), (&self.shard.body, self.shard.digest)),
            Err(Error::Manifest { .. }) => {}
            Err(other) => prop_assert!(false, "{}", other),
        }
        for found in self.runtime.block_on(self.target.scan(None)).unwrap() {
            prop_assert_eq!(found.shards[0].body, self.shard.digest);
            prop_assert_eq!(found.metrics, metrics(0.5));
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn damaged_manifests_and_markers_are_refused_or_read_as_they_were(
        damages in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..4), cut: prop::sample::Index,
    ) {
        let victim = Victim::new();
        let (run, step) = place();
        let layout = &victim.target.0.layout;
        for object in [layout.manifest(&run, step, victim.shard.body.rank), layout.marker(&run, step)] {
            let good = victim.read(&object);
            let mut bad = good.clone();
            damages.iter().for_each(|(at, by)| bad[at.index(good.len())] ^= by);
            victim.write(&object, bad);
            victim.check()?;
            victim.write(&object, good[..cut.index(good.len())].to_vec());
            victim.check()?;
            victim.write(&object, [&good[..], b"more"].concat());
            victim.check()?;
            victim.write(&object, good);
        }
    }

    #[test]
    fn any_bytes_are_no_manifest_and_no_marker(bytes: Vec<u8>) {
        let victim = Victim::new();
        let (run, step) = place();
        let rank = victim.shard.body.rank;
        victim.write(&victim.target.0.layout.manifest(&run, step, rank), bytes.clone());
        victim.write(&victim.target.0.layout.marker(&run, step), bytes);
        prop_assert!(victim.runtime.block_on(victim.target.body(&run, step, rank)).is_err());
        prop_assert!(victim.runtime.block_on(victim.target.scan(None)).unwrap().is_empty());
    }
}

#[test]
fn a_manifest_of_another_place_is_refused() {
    let victim = Victim::new();
    let layout = &victim.target.0.layout;
    let ((run, step), rank) = (place(), victim.shard.body.rank);
    let other = 8.try_into().unwrap();
    victim.write(&layout.manifest(&run, other, rank), victim.read(&layout.manifest(&run, step, rank)));
    victim.write(&layout.marker(&run, other), victim.read(&layout.marker(&run, step)));
    assert!(matches!(victim.runtime.block_on(victim.target.body(&run, other, rank)), Err(Error::Manifest { .. })));
    assert_eq!(victim.runtime.block_on(victim.target.scan(None)).unwrap().len(), 1);
}

#[test]
fn a_manifest_of_absurd_size_is_not_even_read() {
    let victim = Victim::new();
    let (run, step) = place();
    let marker = victim.target.0.layout.marker(&run, step);
    victim.write(&marker, vec![0; crate::marker::MARKER_BYTES + (32 << 10)]);
    assert!(victim.runtime.block_on(victim.target.scan(None)).unwrap().is_empty());
}
