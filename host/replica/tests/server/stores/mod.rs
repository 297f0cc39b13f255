//! Stores of other makes: each that passes goes through the same acts, each that must not be trusted is refused with the reason.

mod azure;
mod credentials;
mod s3;

use tidegate_replica::Base;

use super::*;

/// Bytes that no codec makes smaller, more than two parts of 12 MiB, and weights that drift from step to step.
fn state(step: u64, salt: u64) -> Shard {
    let mut noise = vec![0; 26 * MIB + 7];
    fastrand::Rng::with_seed(1).fill(&mut noise);
    let drift = |n: u32| f32::from_bits(0x3f00_0000 + (n.wrapping_mul(2_654_435_761) >> 10) + (step as u32) * (n % 7));
    let weights = (0..300_000_u32).flat_map(|n| drift(n).to_le_bytes()).collect();
    let small = salt.to_le_bytes().to_vec();
    let files = [("empty", vec![]), ("noise.bin", noise), ("small", small), ("weights.bin", weights)];
    Shard::of(step.try_into().unwrap(), 0, 1, files)
}

async fn ship_against(shard: &Shard, base: &Shard, target: &Target) -> Shipped {
    let metrics = Metrics::default();
    let base = Base::new(base.body.step, base.dir.path());
    let (body, dir, progress) = (&shard.body, shard.dir.path(), Progress::new());
    target.ship_against(Some(&base), body, shard.digest, &metrics, dir, &progress).await.unwrap()
}

/// All that a target does, on the store that `open` opens at a prefix.
async fn keeps_checkpoints(open: impl Fn(&str, &mut dyn FnMut(&mut Options)) -> Target, verified: &str) {
    for layout in [Layout::Plain, Layout::Packed] {
        let open = || {
            open(&format!("acts-{layout:?}"), &mut |options| (options.layout, options.part_bytes) = (layout, 12 << 20))
        };
        let target = open();
        target.probe().await.unwrap();
        assert!(target.scan(None).await.unwrap().is_empty());

        // In three parts and small ones; again without a byte; and other bytes in their place are refused.
        let (first, second, run) = (state(7, 0), state(8, 0), place().0);
        let shipped = first.ship(&target).await.unwrap();
        assert_eq!((shipped.verified.as_str(), shipped.bytes), (verified, shipped.stored));
        assert_eq!(first.check(&target).await.unwrap().object, first.body.bytes());
        assert_eq!(first.ship(&open()).await.unwrap().bytes, 0);
        let conflict = state(7, 1).ship(&target).await;
        assert!(matches!(conflict, Err(Error::Conflict { .. })), "{conflict:?}");
        assert!(target.mark_complete(&run, first.body.step).await.unwrap());

        // Against a base.
        let against = ship_against(&second, &first, &target).await;
        if layout == Layout::Packed {
            assert_eq!(against.base, Some(first.body.step));
            assert!(against.stored < MIB as u64, "{against:?}");
        }
        assert!(target.mark_complete(&run, second.body.step).await.unwrap());
        second.check(&target).await.unwrap();

        // A fresh host finds both, and deletes them, the base last.
        let target = open();
        let found = target.scan(None).await.unwrap();
        let steps: Vec<_> = found.iter().map(|found| (found.step, found.shards[0].body)).collect();
        assert_eq!(steps, [(first.body.step, first.digest), (second.body.step, second.digest)]);
        if layout == Layout::Packed {
            let needed = target.delete(&run, first.body.step).await;
            assert!(matches!(needed, Err(Error::Needed { .. })), "{needed:?}");
        }
        for shard in [&second, &first] {
            assert!(target.delete(&run, shard.body.step).await.unwrap() > 0);
            assert_eq!(target.delete(&run, shard.body.step).await.unwrap(), 0, "nothing is left");
        }
        assert!(target.scan(None).await.unwrap().is_empty());
        assert!(first.check(&target).await.is_err());
    }
    let target = open("race", &mut |_| ());
    plain::two_uploaders_leave_one(&target).await;
}
