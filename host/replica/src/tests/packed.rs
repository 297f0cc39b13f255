//! Shards in packs: small, exact, found again, and as hard to break as files.

use object_store::{ObjectStoreExt, PutPayload};
use tidegate_core::Step;

use super::*;
use crate::{Base, Layout};

fn step(number: u64) -> Step {
    number.try_into().unwrap()
}

fn packed() -> Options {
    Options { layout: Layout::Packed, ..options() }
}

async fn each_packed<F: Future<Output = ()>>(test: impl Fn(Target) -> F) {
    test(Target::open("memory".parse().unwrap(), "memory://", packed()).unwrap()).await;
    let dir = tempfile::tempdir().unwrap();
    let url = url::Url::from_directory_path(dir.path().join("bucket")).unwrap();
    test(Target::open("directory".parse().unwrap(), url.as_str(), packed()).unwrap()).await;
}

/// What a training would leave at a step: fp32 weights that drift, their bf16 roundings, noise, and something frozen.
fn state(at: u64) -> Shard {
    let words = 3 * BLOCK / 8 + 5;
    let weight = |n: usize| ((n as f32) * 0.37).sin() + (at as f32) * 1e-5 * ((n as f32) * 0.11).cos();
    let weights: Vec<u8> = (0..words).flat_map(|n| weight(n).to_le_bytes()).collect();
    let bf16 = tidegate_codec::narrowed(&weights);
    Shard::at(
        step(at),
        0,
        1,
        &[
            ("bf16.bin", bf16),
            ("empty", vec![]),
            ("frozen.bin", bytes(7, BLOCK + 100)),
            ("noise.bin", bytes(at, 5000)),
            ("weights.bin", weights),
        ],
    )
}

async fn ship_against(shard: &Shard, base: &Shard, target: &Target) -> Shipped {
    assert!(target.mark_complete(&base.body.run, base.body.step).await.unwrap());
    let base = Base::new(base.body.step, base.dir.path());
    let (body, digest, progress) = (&shard.body, shard.digest, Progress::new());
    let shipped = target.ship_against(Some(&base), body, digest, &metrics(0.5), shard.dir.path(), &progress).await;
    assert_eq!(progress.done(), body.bytes(), "progress");
    shipped.unwrap()
}

async fn bring_from(shard: &Shard, target: &Target) -> Result<Restored, Error> {
    let into = Into::new();
    let restored = bring(shard, &[Source::Target(target)], &into).await?;
    shard.assert_restored(&into.path());
    Ok(restored)
}

async fn packs(shard: &Shard, target: &Target) -> Vec<object_store::path::Path> {
    let prefix = target.0.layout.rank(&shard.body.run, shard.body.step, shard.body.rank);
    let names = futures::StreamExt::collect::<Vec<_>>(target.store().list(Some(&prefix))).await;
    names.into_iter().map(|meta| meta.unwrap().location).collect()
}

#[tokio::test]
async fn a_shard_of_any_files_comes_back_from_packs() {
    each_packed(async |target| {
        for shard in [Shard::mixed(), state(8), Shard::at(step(9), 0, 1, &[("empty", vec![])])] {
            let shipped = shard.ship(&target).await.unwrap();
            assert_eq!((shipped.bytes, shipped.reused, shipped.base), (shipped.stored, 0, None));
            assert!(target.mark_complete(&shard.body.run, shard.body.step).await.unwrap());
            let found = target.look(&shard.body.run, shard.body.step).await.unwrap().expect("it is whole");
            assert_eq!((found.shards[0].packed, found.shards[0].bytes), (Some(shipped.stored), shard.body.bytes()));
            let restored = bring_from(&shard, &target).await.unwrap();
            assert_eq!((restored.object, restored.damaged), (shard.body.bytes(), vec![]));
        }
    })
    .await;
}

#[tokio::test]
async fn roundings_and_differences_take_little() {
    each_packed(async |target| {
        let (first, second) = (state(1), state(2));
        let alone = first.ship(&target).await.unwrap();
        let frozen = (BLOCK + 5100) as u64;
        let fp32 = first.body.files[4].size;
        assert!(alone.stored < frozen + fp32 + 1000, "{alone:?}: the roundings take no room");
        let against = ship_against(&second, &first, &target).await;
        assert_eq!(against.base, Some(step(1)));
        assert!(against.stored < fp32 / 3, "{against:?}: {fp32} bytes of weights, and nothing of what is frozen");
        let restored = bring_from(&second, &target).await.unwrap();
        assert_eq!(restored.damaged, vec![]);
    })
    .await;
}

#[tokio::test]
async fn the_base_may_lie_here_or_there_and_be_rotten_here() {
    each_packed(async |target| {
        let (first, second) = (state(1), state(2));
        first.ship(&target).await.unwrap();
        ship_against(&second, &first, &target).await;
        first.flip("weights.bin", BLOCK + 9);
        let local = [(step(1), first.dir.path().to_owned())].into_iter().collect();
        let options = RestoreOptions { local, ..RestoreOptions::default() };
        let into = Into::new();
        let sources = [Source::Target(&target)];
        restore(&second.body, &sources, &into.path(), options, &Progress::new()).await.unwrap();
        second.assert_restored(&into.path());
    })
    .await;
}

#[tokio::test]
async fn a_rotten_base_is_no_base_and_a_rotten_shard_is_not_shipped() {
    each_packed(async |target| {
        let (first, second) = (state(1), state(2));
        first.ship(&target).await.unwrap();
        first.flip("weights.bin", 9);
        ship_against(&second, &first, &target).await;
        bring_from(&second, &target).await.unwrap();
        let third = state(3);
        third.flip("weights.bin", 9);
        let refused = third.ship(&target).await.unwrap_err();
        assert!(matches!(&refused, Error::LocalDamage { file, block: 0, .. } if file == "weights.bin"), "{refused}");
        let missing = target.body(&third.body.run, step(3), third.body.rank).await.unwrap_err();
        assert!(matches!(missing, Error::Missing { .. }), "{missing}");
    })
    .await;
}

#[tokio::test]
async fn a_chain_ends_where_the_options_say() {
    let options = Options { chain: 2, ..packed() };
    let target = Target::open("memory".parse().unwrap(), "memory://", options).unwrap();
    let states: Vec<Shard> = (1..=5).map(state).collect();
    states[0].ship(&target).await.unwrap();
    let mut bases = Vec::new();
    for pair in states.windows(2) {
        bases.push(ship_against(&pair[1], &pair[0], &target).await.base.map(Step::get));
    }
    assert_eq!(bases, [Some(1), Some(2), None, Some(4)]);
    for state in &states {
        assert!(target.mark_complete(&state.body.run, state.body.step).await.unwrap());
        bring_from(state, &target).await.unwrap();
    }
    assert_eq!(target.scan(None).await.unwrap().len(), 5);
    let refused = target.delete(&states[0].body.run, step(1)).await.unwrap_err();
    assert!(matches!(refused, Error::Needed { by, .. } if by == step(2)), "{refused}");
    assert_eq!(target.scan(None).await.unwrap().len(), 5, "nothing was deleted");
    // Without the first, the two that need it are not whole, and the others are.
    let marker = target.0.layout.marker(&states[0].body.run, step(1));
    target.store().delete(&marker).await.unwrap();
    for name in packs(&states[0], &target).await {
        target.store().delete(&name).await.unwrap();
    }
    let manifest = target.0.layout.manifest(&states[0].body.run, step(1), states[0].body.rank);
    target.store().delete(&manifest).await.unwrap();
    let left: Vec<u64> = target.scan(None).await.unwrap().iter().map(|found| found.step.get()).collect();
    assert_eq!(left, [4, 5]);
    let lacks = target.lacks(&states[2].body.run, step(3)).await.unwrap().expect("it lacks its base's base");
    assert!(lacks.contains("0000000000000001"), "{lacks}");
    let gone = bring_from(&states[2], &target).await.unwrap_err();
    assert!(gone.to_string().contains("not there"), "{gone}");
}

#[tokio::test]
async fn what_an_earlier_try_left_is_kept_or_swept() {
    each_packed(async |target| {
        let shard = state(1);
        let first = shard.ship(&target).await.unwrap();
        let manifest = target.0.layout.manifest(&shard.body.run, shard.body.step, shard.body.rank);
        target.store().delete(&manifest).await.unwrap();
        let stray = target.0.layout.packs(&shard.body.run, shard.body.step, shard.body.rank);
        let stray = stray.join(Digest::of(b"stray").to_string());
        target.store().put(&stray, PutPayload::from_static(b"stray")).await.unwrap();
        let again = shard.ship(&target).await.unwrap();
        assert_eq!((again.bytes, again.reused), (0, first.stored));
        assert!(!packs(&shard, &target).await.contains(&stray), "what the manifest does not name is gone");
        assert_eq!(shard.ship(&target).await.unwrap().stored, first.stored, "and once more it is only looked up");
        bring_from(&shard, &target).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_flipped_bit_anywhere_in_a_pack_never_comes_back_as_if_it_were_right() {
    let target = Target::open("memory".parse().unwrap(), "memory://", packed()).unwrap();
    let shard = Shard::new(&[("a", bytes(1, 3000)), ("b", vec![7; 5000]), ("c", bytes(2, 100))]);
    let stored = shard.ship(&target).await.unwrap().stored;
    let [name] = packs(&shard, &target).await.try_into().unwrap();
    let good = target.store().get(&name).await.unwrap().bytes().await.unwrap();
    let mut refused = 0;
    for at in (0..stored as usize).step_by(37) {
        let mut bad = good.to_vec();
        bad[at] ^= 0x10;
        target.store().put(&name, PutPayload::from(bad)).await.unwrap();
        let into = Into::new();
        match bring(&shard, &[Source::Target(&target)], &into).await {
            Ok(_) => shard.assert_restored(&into.path()),
            Err(error) => {
                refused += 1;
                assert!(matches!(error, Error::Corrupt { .. }), "{at}: {error}");
                into.assert_empty();
                let sources = [Source::Target(&target), Source::Dir(shard.dir.path())];
                bring(&shard, &sources, &into).await.unwrap();
                shard.assert_restored(&into.path());
            }
        }
    }
    assert!(refused > 50, "{refused}");
}

#[tokio::test]
async fn a_damaged_copy_is_mended_and_what_needs_it_is_whole_again() {
    each_packed(async |target| {
        let (first, second) = (state(1), state(2));
        first.ship(&target).await.unwrap();
        ship_against(&second, &first, &target).await;
        for name in packs(&first, &target).await {
            target.store().put(&name, PutPayload::from_static(b"rot")).await.unwrap();
        }
        assert!(bring_from(&second, &target).await.is_err());
        let (body, dir) = (&first.body, first.dir.path());
        target.mend(body, first.digest, &metrics(0.5), dir, &Progress::new()).await.unwrap();
        bring_from(&first, &target).await.unwrap();
        bring_from(&second, &target).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn both_layouts_live_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let url = url::Url::from_directory_path(dir.path().join("bucket")).unwrap();
    let open = |options| Target::open("directory".parse().unwrap(), url.as_str(), options).unwrap();
    let (plain, target) = (open(options()), open(packed()));
    let (first, second) = (state(1), state(2));
    first.ship(&plain).await.unwrap();
    let against = ship_against(&second, &first, &target).await;
    assert_eq!(against.base, Some(step(1)), "files are a base as well");
    bring_from(&first, &target).await.unwrap();
    bring_from(&second, &plain).await.unwrap();
}

#[tokio::test]
async fn what_is_needed_goes_after_what_needs_it_and_what_is_about_to_go_is_no_base() {
    each_packed(async |target| {
        let (first, second, third) = (state(1), state(2), state(3));
        let run = first.body.run.clone();
        first.ship(&target).await.unwrap();
        ship_against(&second, &first, &target).await;
        assert!(target.mark_complete(&run, step(2)).await.unwrap());
        assert_eq!(target.condemn(&run, step(1)).await.unwrap(), Some(step(2)));
        assert_eq!(target.condemn(&run, step(2)).await.unwrap(), None);
        assert_eq!(ship_against(&third, &second, &target).await.base, None, "it is about to be deleted");
        target.delete(&run, step(2)).await.unwrap();
        target.delete(&run, step(1)).await.unwrap();
        let all =
            futures::StreamExt::collect::<Vec<_>>(target.store().list(Some(&target.0.layout.step(&run, step(1)))))
                .await;
        assert_eq!(all.len(), 0, "{all:?}");
        bring_from(&third, &target).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_reference_without_its_shard_keeps_nothing() {
    each_packed(async |target| {
        let first = state(1);
        let (run, rank) = (first.body.run.clone(), first.body.rank);
        first.ship(&target).await.unwrap();
        assert!(target.mark_complete(&run, step(1)).await.unwrap());
        target.refer(&run, step(1), step(2), rank).await.unwrap();
        assert_eq!(target.condemn(&run, step(1)).await.unwrap(), None);
        target.spare(&run, step(1)).await.unwrap();
        target.delete(&run, step(1)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_base_that_helps_nothing_is_not_needed() {
    each_packed(async |target| {
        let first = Shard::at(step(1), 0, 1, &[("a", bytes(1, 9000))]);
        let second = Shard::at(step(2), 0, 1, &[("a", bytes(2, 9000))]);
        first.ship(&target).await.unwrap();
        assert_eq!(ship_against(&second, &first, &target).await.base, None);
        target.delete(&first.body.run, step(1)).await.unwrap();
        bring_from(&second, &target).await.unwrap();
    })
    .await;
}

/// Weights that drift, small enough to be shipped in a moment.
fn small(at: u64) -> Shard {
    let weight = |n: u32| (f64::from(n) * 0.37).sin() as f32 + at as f32 * 1e-6;
    let weights: Vec<u8> = (0..20_000).flat_map(|n| weight(n).to_le_bytes()).collect();
    Shard::at(step(at), 0, 1, &[("weights.bin", weights)])
}

/// One host ships what needs a checkpoint, another deletes that, at every distance in time from each other.
#[tokio::test(flavor = "multi_thread")]
async fn who_deletes_a_base_and_who_ships_what_needs_it_never_miss_each_other() {
    let (first, second) = (small(1), small(2));
    let run = first.body.run.clone();
    let (mut deleted, mut kept) = (0, 0);
    for nth in 0..60_u64 {
        let dir = tempfile::tempdir().unwrap();
        let url = url::Url::from_directory_path(dir.path().join("bucket")).unwrap();
        let open = || Target::open("directory".parse().unwrap(), url.as_str(), packed()).unwrap();
        let (ours, theirs) = (open(), open());
        first.ship(&ours).await.unwrap();
        assert!(ours.mark_complete(&run, step(1)).await.unwrap());
        let base = Base::new(step(1), first.dir.path());
        let ship = async {
            loop {
                let (body, dir, progress) = (&second.body, second.dir.path(), Progress::new());
                let shipped = ours.ship_against(Some(&base), body, second.digest, &metrics(0.5), dir, &progress).await;
                match shipped {
                    Ok(shipped) => return shipped.base,
                    Err(error) if error.retryable() => {}
                    Err(error) => panic!("round {nth}: {error}"),
                }
            }
        };
        let delete = async {
            tokio::time::sleep(std::time::Duration::from_micros(nth * 400)).await;
            theirs.delete(&run, step(1)).await
        };
        let (base, gone) = tokio::join!(ship, delete);
        match gone {
            Ok(_) => deleted += 1,
            Err(Error::Needed { by, .. }) => {
                assert_eq!(by, step(2));
                kept += 1;
            }
            Err(error) => panic!("round {nth}: {error}"),
        }
        let restored = bring_from(&second, &ours).await;
        assert!(restored.is_ok(), "round {nth}: {restored:?}, made from {base:?}");
    }
    println!("{deleted} deleted, {kept} kept");
}
