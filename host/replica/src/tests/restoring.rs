//! Restoring: exact bytes from whichever source has them, or nothing.

use std::{fs, os::unix::fs::symlink};

use object_store::{ObjectStoreExt, PutPayload};
use tidegate_core::Tier;

use super::*;
use crate::Damage;

/// Ships a shard and spoils one object.
async fn spoiled(target: &Target, spoil: impl Fn(Vec<u8>) -> Option<Vec<u8>>) -> Shard {
    let shard = Shard::mixed();
    shard.ship(target).await.unwrap();
    let object = shard.object(target, "large");
    let bytes = target.store().get(&object).await.unwrap().bytes().await.unwrap();
    match spoil(bytes.to_vec()) {
        Some(bytes) => drop(target.store().put(&object, PutPayload::from(bytes)).await.unwrap()),
        None => target.store().delete(&object).await.unwrap(),
    }
    shard
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoiled_object_is_a_clear_error_and_leaves_nothing() {
    type Spoil = fn(Vec<u8>) -> Option<Vec<u8>>;
    let ways: [(&str, Spoil); 5] = [
        ("flipped", |mut bytes| {
            bytes[BLOCK + 1] ^= 1;
            Some(bytes)
        }),
        ("cut", |bytes| Some(bytes[..BLOCK].to_vec())),
        ("emptied", |_| Some(vec![])),
        ("grown", |mut bytes| {
            bytes.push(0);
            Some(bytes)
        }),
        ("gone", |_| None),
    ];
    for (way, spoil) in ways {
        each(async |target| {
            let (shard, into) = (spoiled(&target, spoil).await, Into::new());
            let error = bring(&shard, &[Source::Target(&target)], &into).await.unwrap_err();
            assert!(matches!(&error, Error::Corrupt { file, .. } if file == "large"), "{way}: {error}");
            assert!(!error.retryable(), "{way}");
            into.assert_empty();
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_on_the_nearest_tier_comes_from_the_next() {
    each(async |target| {
        let (shard, copy, into) = (Shard::mixed(), Shard::mixed(), Into::new());
        shard.ship(&target).await.unwrap();
        copy.flip("large", BLOCK + 7);
        fs::remove_file(copy.dir.path().join("exact")).unwrap();
        let sources = [Source::Dir(copy.dir.path()), Source::Target(&target)];
        let mut restored = bring(&shard, &sources, &into).await.unwrap();
        shard.assert_restored(&into.path());
        restored.damaged.sort_by(|a, b| a.file.cmp(&b.file));
        let named: Vec<_> = restored.damaged.iter().map(|d| (d.tier, &*d.file, d.block)).collect();
        assert_eq!(named, [(Tier::Nvme, "exact", 0), (Tier::Nvme, "large", 1)]);
        assert_eq!((restored.object, restored.nvme + restored.object), (3 * BLOCK as u64, shard.body.bytes()));
    })
    .await;
}

#[tokio::test]
async fn a_whole_nearest_tier_is_enough() {
    let (shard, into) = (Shard::mixed(), Into::new());
    let restored = bring(&shard, &[Source::Dir(shard.dir.path())], &into).await.unwrap();
    assert_eq!(restored, Restored { nvme: shard.body.bytes(), object: 0, damaged: vec![] });
    shard.assert_restored(&into.path());
}

#[tokio::test]
async fn a_directory_that_is_gone_is_one_damage() {
    each(async |target| {
        let (shard, into) = (Shard::mixed(), Into::new());
        shard.ship(&target).await.unwrap();
        let gone = shard.dir.path().join("gone");
        let restored = bring(&shard, &[Source::Dir(&gone), Source::Target(&target)], &into).await.unwrap();
        assert!(
            matches!(&restored.damaged[..], [Damage { tier: Tier::Nvme, file, .. }] if file == "."),
            "{restored:?}"
        );
        shard.assert_restored(&into.path());
    })
    .await;
}

#[tokio::test]
async fn links_in_the_nearest_tier_are_not_followed() {
    let (shard, into) = (Shard::mixed(), Into::new());
    let small = shard.dir.path().join("a/small");
    fs::rename(&small, shard.dir.path().join("elsewhere")).unwrap();
    symlink("../elsewhere", &small).unwrap();
    let error = bring(&shard, &[Source::Dir(shard.dir.path())], &into).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    into.assert_empty();
}

#[tokio::test]
async fn what_exists_is_never_replaced() {
    let (shard, into) = (Shard::mixed(), Into::new());
    let sources = [Source::Dir(shard.dir.path())];
    for make in [|path: PathBuf| fs::create_dir(path), |path| fs::write(path, b"x"), |path| symlink("nowhere", path)] {
        make(into.path()).unwrap();
        assert!(matches!(bring(&shard, &sources, &into).await, Err(Error::Exists(_))));
        fs::remove_file(into.path()).or_else(|_| fs::remove_dir(into.path())).unwrap();
        into.assert_empty();
    }
}

#[tokio::test]
async fn what_a_crash_left_is_swept_by_the_next_restore() {
    let (shard, into) = (Shard::mixed(), Into::new());
    let left = into.path().with_file_name("restored.partial-0123456789abcdef");
    fs::create_dir_all(left.join("a")).unwrap();
    fs::write(left.join("a/half"), b"x").unwrap();
    bring(&shard, &[Source::Dir(shard.dir.path())], &into).await.unwrap();
    assert!(!left.exists());
    shard.assert_restored(&into.path());
}

#[tokio::test]
async fn a_cancelled_restore_leaves_nothing() {
    let (shard, into, progress) = (Shard::mixed(), Into::new(), Progress::new());
    progress.cancel();
    let sources = [Source::Dir(shard.dir.path())];
    let ended = restore(&shard.body, &sources, &into.path(), RestoreOptions::default(), &progress).await;
    assert!(matches!(ended, Err(Error::Cancelled)), "{ended:?}");
    into.assert_empty();
}

#[tokio::test]
async fn what_would_not_fit_is_refused_before_the_first_byte() {
    let (mut shard, into) = (Shard::mixed(), Into::new());
    shard.body.files[0].size = limits::SHARD_BYTES;
    let error = bring(&shard, &[Source::Dir(shard.dir.path())], &into).await.unwrap_err();
    assert!(matches!(error, Error::NoSpace { .. }), "{error}");
    into.assert_empty();
}

#[tokio::test]
async fn without_a_source_there_is_no_restore() {
    let (shard, into) = (Shard::mixed(), Into::new());
    assert!(matches!(bring(&shard, &[], &into).await, Err(Error::Corrupt { .. })));
    into.assert_empty();
}
