//! Shipping: what arrives, what is kept, what is refused.

use std::{fs, os::unix::fs::symlink};

use object_store::{ObjectStoreExt, PutPayload};

use super::*;
use crate::Verify;

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_goes_there_and_comes_back_the_same() {
    each(async |target| {
        let (shard, into) = (Shard::mixed(), Into::new());
        let progress = Progress::new();
        let shipped = target.ship(&shard.body, shard.digest, &metrics(1.0), shard.dir.path(), &progress).await.unwrap();
        assert_eq!((shipped.bytes + shipped.reused, shipped.reused), (shard.body.bytes(), 1000), "equal files go once");
        assert_eq!(shipped.verified, "reread:blake3");
        assert_eq!((progress.done(), progress.total()), (shard.body.bytes(), shard.body.bytes()));
        let (body, digest) = target.body(&shard.body.run, shard.body.step, shard.body.rank).await.unwrap();
        assert_eq!((&body, digest), (&shard.body, shard.digest));
        let restored = bring(&shard, &[Source::Target(&target)], &into).await.unwrap();
        assert_eq!(restored, Restored { nvme: 0, object: shard.body.bytes(), damaged: vec![] });
        shard.assert_restored(&into.path());
    })
    .await;
}

#[tokio::test]
async fn a_second_shipping_sends_nothing_and_keeps_the_first_metrics() {
    each(async |target| {
        let shard = Shard::mixed();
        shard.ship(&target).await.unwrap();
        let (others, progress) = (metrics(9.0), Progress::new());
        let again = target.ship(&shard.body, shard.digest, &others, shard.dir.path(), &progress).await.unwrap();
        assert_eq!((again.bytes, again.reused), (0, shard.body.bytes()));
        let (run, step) = place();
        assert!(target.mark_complete(&run, step).await.unwrap());
        assert_eq!(target.scan(None).await.unwrap()[0].metrics, metrics(0.5));
    })
    .await;
}

#[tokio::test]
async fn what_an_earlier_try_left_is_kept_only_if_it_is_right() {
    each(async |target| {
        let (shard, into) = (Shard::mixed(), Into::new());
        let right = fs::read(shard.dir.path().join("exact")).unwrap();
        let mut wrong = fs::read(shard.dir.path().join("large")).unwrap();
        wrong[BLOCK] ^= 1;
        let size = wrong.len() as u64;
        target.store().put(&shard.object(&target, "exact"), PutPayload::from(right)).await.unwrap();
        target.store().put(&shard.object(&target, "large"), PutPayload::from(wrong)).await.unwrap();
        target.store().put(&shard.object(&target, "a/small"), PutPayload::from_static(b"short")).await.unwrap();
        assert_eq!(shard.ship(&target).await.unwrap().bytes, size + 1000);
        bring(&shard, &[Source::Target(&target)], &into).await.unwrap();
        shard.assert_restored(&into.path());
    })
    .await;
}

#[tokio::test]
async fn a_damaged_local_block_is_named_and_never_arrives() {
    each(async |target| {
        for (file, at, block) in [("large", BLOCK + 5, 1), ("a/b/same", 3, 0), ("large", 2 * BLOCK + 4096, 2)] {
            let shard = Shard::mixed();
            shard.flip(file, at);
            match shard.ship(&target).await {
                Err(Error::LocalDamage { file: named, block: nth, .. }) => assert_eq!((&*named, nth), (file, block)),
                other => panic!("{other:?}"),
            }
            let (run, step) = place();
            assert!(matches!(target.body(&run, step, shard.body.rank).await, Err(Error::Missing { .. })));
            assert!(target.head(&shard.object(&target, file)).await.unwrap().is_none());
            target.delete(&run, step).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_local_file_that_is_gone_cut_grown_or_a_link_is_damage() {
    let breaks: [fn(&std::path::Path); 4] = [
        |path| fs::remove_file(path).unwrap(),
        |path| fs::write(path, b"cut").unwrap(),
        |path| fs::write(path, bytes(2, 2 * BLOCK + 1)).unwrap(),
        |path| {
            fs::rename(path, path.with_extension("real")).unwrap();
            symlink(path.with_extension("real"), path).unwrap();
        },
    ];
    each(async |target| {
        for (nth, damage) in breaks.iter().enumerate() {
            let shard = Shard::mixed();
            damage(&shard.dir.path().join("exact"));
            let refused = shard.ship(&target).await.unwrap_err();
            assert!(matches!(&refused, Error::LocalDamage { file, .. } if file == "exact"), "{nth}: {refused}");
            assert!(!refused.retryable());
        }
    })
    .await;
}

#[tokio::test]
async fn other_bytes_for_the_same_rank_are_a_conflict_for_good() {
    each(async |target| {
        let (first, second) = (Shard::mixed(), Shard::new(&[("a", bytes(9, 10))]));
        first.ship(&target).await.unwrap();
        let refused = second.ship(&target).await.unwrap_err();
        assert!(matches!(refused, Error::Conflict { .. }) && !refused.retryable(), "{refused}");
        let (run, step) = place();
        assert_eq!(target.body(&run, step, first.body.rank).await.unwrap().1, first.digest);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_uploaders_of_one_shard_agree() {
    each(async |target| {
        let (shard, into) = (Shard::mixed(), Into::new());
        let (one, other) = tokio::join!(shard.ship(&target), shard.ship(&target));
        assert_eq!((one.unwrap().verified, other.unwrap().verified), ("reread:blake3".into(), "reread:blake3".into()));
        bring(&shard, &[Source::Target(&target)], &into).await.unwrap();
        shard.assert_restored(&into.path());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_uploaders_of_different_bytes_one_wins_and_is_whole() {
    each(async |target| {
        let shards = [Shard::mixed(), Shard::new(&[("a", bytes(9, BLOCK + 1)), ("large", bytes(8, 3 * BLOCK))])];
        let (one, other) = tokio::join!(shards[0].ship(&target), shards[1].ship(&target));
        let winner = match (&one, &other) {
            (Ok(_), Err(Error::Conflict { .. })) => &shards[0],
            (Err(Error::Conflict { .. }), Ok(_)) => &shards[1],
            _ => panic!("{one:?} {other:?}"),
        };
        let into = Into::new();
        bring(winner, &[Source::Target(&target)], &into).await.unwrap();
        winner.assert_restored(&into.path());
    })
    .await;
}

#[tokio::test]
async fn a_shipping_that_is_dropped_half_way_is_finished_by_the_next() {
    each(async |target| {
        let files: Vec<_> = (0..20).map(|n| (format!("f{n:02}"), bytes(n, BLOCK + 1))).collect();
        let files: Vec<_> = files.iter().map(|(name, bytes)| (&**name, bytes.clone())).collect();
        let shard = Shard::new(&files);
        let prefix = target.0.layout.data(&shard.body.run, shard.body.step, shard.body.rank);
        tokio::select! {
            biased;
            _ = async { while target.sizes(&prefix).await.unwrap().len() < 2 { tokio::task::yield_now().await } } => {}
            ended = shard.ship(&target) => panic!("it was not dropped: {ended:?}"),
        }
        let (run, step) = place();
        assert!(matches!(target.body(&run, step, shard.body.rank).await, Err(Error::Missing { .. })));
        let shipped = shard.ship(&target).await.unwrap();
        assert!(shipped.reused > 0 && shipped.bytes > 0, "{shipped:?}");
        let into = Into::new();
        bring(&shard, &[Source::Target(&target)], &into).await.unwrap();
        shard.assert_restored(&into.path());
    })
    .await;
}

#[tokio::test]
async fn what_a_killed_upload_left_in_a_directory_is_removed() {
    each(async |target| {
        let shard = Shard::mixed();
        let Some(object) = target.file_of(&shard.object(&target, "large")) else { return };
        let left = object.with_file_name(format!("{}#77", object.file_name().unwrap().display()));
        fs::create_dir_all(left.parent().unwrap()).unwrap();
        fs::write(&left, b"half").unwrap();
        shard.ship(&target).await.unwrap();
        assert!(!left.exists());
        assert_eq!(count(object.parent().unwrap()), 3);
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_shipping_ends_as_cancelled_without_a_manifest() {
    each(async |target| {
        let (shard, progress) = (Shard::mixed(), Progress::new());
        progress.cancel();
        let ended = target.ship(&shard.body, shard.digest, &metrics(0.0), shard.dir.path(), &progress).await;
        assert!(matches!(ended, Err(Error::Cancelled)), "{ended:?}");
        let (run, step) = place();
        assert!(matches!(target.body(&run, step, shard.body.rank).await, Err(Error::Missing { .. })));
    })
    .await;
}

#[tokio::test]
async fn a_body_that_does_not_have_its_digest_is_not_shipped() {
    each(async |target| {
        let shard = Shard::mixed();
        let (digest, progress) = (Digest::of(b"other"), Progress::new());
        let refused = target.ship(&shard.body, digest, &metrics(0.0), shard.dir.path(), &progress).await.unwrap_err();
        assert!(matches!(refused, Error::Manifest { .. }), "{refused}");
    })
    .await;
}

#[tokio::test]
async fn a_shard_of_empty_files_is_a_manifest_and_nothing_else() {
    each(async |target| {
        let (shard, into) = (Shard::new(&[("a", vec![]), ("b/c", vec![])]), Into::new());
        assert_eq!(shard.ship(&target).await.unwrap().bytes, 0);
        bring(&shard, &[Source::Target(&target)], &into).await.unwrap();
        shard.assert_restored(&into.path());
    })
    .await;
}

#[tokio::test]
async fn a_checksum_cannot_be_asked_of_a_target_that_has_none() {
    let options = Options { verify: crate::Verify::Checksum, ..options() };
    let target = Target::open("t".parse().unwrap(), "memory://", options).unwrap();
    assert!(matches!(Shard::mixed().ship(&target).await, Err(Error::Config { .. })));
}

#[tokio::test]
async fn a_damaged_copy_is_mended_object_by_object_and_manifest_included() {
    // What rots keeps its size: to compare sizes mends nothing.
    for verify in [Verify::Auto, Verify::Size] {
        mend_one(Options { verify, ..options() }).await;
    }
}

async fn mend_one(options: Options) {
    let (shard, dir) = (Shard::mixed(), tempfile::tempdir().unwrap());
    let url = format!("file://{}", dir.path().display());
    let target = Target::open("t".parse().unwrap(), &url, options).unwrap();
    shard.ship(&target).await.unwrap();
    let largest = shard.body.files.iter().max_by_key(|file| file.size).unwrap();
    let named = |part: &str| {
        let mut found = Vec::new();
        let mut todo = vec![dir.path().to_path_buf()];
        while let Some(at) = todo.pop() {
            for entry in std::fs::read_dir(at).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    todo.push(path)
                } else if path.to_string_lossy().contains(part) {
                    found.push(path)
                }
            }
        }
        found.pop().unwrap()
    };
    let object = named(&largest.digest.to_string());
    let mut rotten = std::fs::read(&object).unwrap();
    rotten[5] ^= 1;
    std::fs::write(&object, rotten).unwrap();
    std::fs::write(named("rank-"), "no manifest").unwrap();
    let progress = Progress::new();
    let mended = target.mend(&shard.body, shard.digest, &metrics(0.5), shard.dir.path(), &progress).await.unwrap();
    assert_eq!(mended.bytes, largest.size);
    let into = Into::new();
    bring(&shard, &[Source::Target(&target)], &into).await.unwrap();
    shard.assert_restored(&into.path());
}
