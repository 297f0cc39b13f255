//! Marking, finding, deleting, probing.

use futures::TryStreamExt;
use object_store::{ObjectStoreExt, PutPayload, path::Path};

use super::*;

async fn objects(target: &Target) -> Vec<String> {
    let listed: Vec<_> = target.store().list(None).try_collect().await.unwrap();
    listed.into_iter().map(|meta| meta.location.to_string()).collect()
}

/// A checkpoint of two ranks, shipped and marked.
async fn complete(target: &Target) -> [Shard; 2] {
    let shards = [0, 1].map(|rank| Shard::of_rank(rank, 2, &[("w", bytes(rank, BLOCK + 9)), ("o", bytes(9, 10))]));
    let (run, step) = place();
    assert!(!target.mark_complete(&run, step).await.unwrap());
    shards[1].ship(target).await.unwrap();
    assert!(!target.mark_complete(&run, step).await.unwrap(), "rank 0 is missing");
    assert!(target.scan(None).await.unwrap().is_empty(), "a part is never taken for the whole");
    shards[0].ship(target).await.unwrap();
    assert!(target.mark_complete(&run, step).await.unwrap());
    assert!(target.mark_complete(&run, step).await.unwrap(), "marking again changes nothing");
    shards
}

#[tokio::test]
async fn a_checkpoint_is_found_once_every_rank_is_there() {
    each(async |target| {
        let shards = complete(&target).await;
        let found = target.scan(None).await.unwrap();
        assert_eq!(found, target.scan(Some(&place().0)).await.unwrap());
        let [found] = &found[..] else { panic!("{found:?}") };
        assert_eq!((found.run.clone(), found.step, found.world_size.get()), (place().0, place().1, 2));
        assert_eq!(found.metrics, metrics(0.5));
        for (shard, of) in found.shards.iter().zip(&shards) {
            assert_eq!(
                (shard.rank, shard.body, shard.bytes, shard.files),
                (of.body.rank, of.digest, of.body.bytes(), 2)
            );
        }
        assert!(target.scan(Some(&"other".parse().unwrap())).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_checkpoint_that_was_copied_half_is_not_taken_for_a_whole_one() {
    each(async |target| {
        let shards = complete(&target).await;
        let whole = target.scan(None).await.unwrap();
        let manifest = target.0.layout.manifest(&place().0, place().1, 1.try_into().unwrap());
        for lost in [shards[0].object(&target, "w"), shards[1].object(&target, "o"), manifest] {
            let bytes = target.store().get(&lost).await.unwrap().bytes().await.unwrap();
            let lose: [Option<&[u8]>; 2] = [None, Some(&bytes[..bytes.len() - 1])];
            for left in lose {
                match left {
                    None => target.store().delete(&lost).await.unwrap(),
                    Some(part) => drop(target.store().put(&lost, PutPayload::from(part.to_vec())).await.unwrap()),
                }
                // A manifest is read when a size is not as it should be, and where equal files make one object.
                let of_manifest = left.is_some() && lost.as_ref().ends_with(".cbor");
                assert_eq!(target.scan(None).await.unwrap().len(), usize::from(of_manifest), "{lost}");
            }
            target.store().put(&lost, PutPayload::from(bytes)).await.unwrap();
            assert_eq!(target.scan(None).await.unwrap(), whole);
        }
    })
    .await;
}

#[tokio::test]
async fn equal_files_are_one_object_and_the_checkpoint_is_whole() {
    each(async |target| {
        let shard = Shard::mixed();
        shard.ship(&target).await.unwrap();
        assert!(target.mark_complete(&place().0, place().1).await.unwrap());
        assert_eq!(target.scan(None).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_killed_hosts_left_in_a_directory_goes_when_the_checkpoint_is_marked() {
    let dir = tempfile::tempdir().unwrap();
    let url = url::Url::from_directory_path(dir.path()).unwrap();
    let target = Target::open("directory".parse().unwrap(), url.as_str(), options()).unwrap();
    complete(&target).await;
    let step = dir.path().join("v1/runs/gpt/0000000000000007");
    let data = step.join("00000/data");
    let digest = std::fs::read_dir(&data).unwrap().next().unwrap().unwrap().path();
    let left = [step.join("checkpoint.cbor#1"), step.join("rank-00001.cbor#2"), digest.with_extension("x#7")];
    left.iter().for_each(|path| std::fs::write(path, "half").unwrap());
    let shards = [0, 1].map(|rank| Shard::of_rank(rank, 2, &[("w", bytes(rank, BLOCK + 9)), ("o", bytes(9, 10))]));
    for shard in shards {
        shard.ship(&target).await.unwrap();
    }
    assert!(target.mark_complete(&place().0, place().1).await.unwrap());
    assert!(left.iter().all(|path| !path.exists()), "{left:?}");
}

#[tokio::test]
async fn what_is_not_ours_is_not_found_and_not_deleted() {
    each(async |target| {
        complete(&target).await;
        for foreign in ["notes.txt", "v1/runs/gpt/12/checkpoint.cbor", "v1/runs/.x/0000000000000001/checkpoint.cbor"] {
            target.store().put(&Path::from(foreign), PutPayload::from_static(b"?")).await.unwrap();
        }
        assert_eq!(target.scan(None).await.unwrap().len(), 1);
        target.delete(&place().0, place().1).await.unwrap();
        assert_eq!(objects(&target).await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn steps_are_found_in_their_order() {
    each(async |target| {
        for step in [30, 4, 100_000] {
            let mut shard = Shard::mixed();
            shard.body.step = step.try_into().unwrap();
            shard.digest = Digest::of(&shard.body.encode().unwrap());
            shard.ship(&target).await.unwrap();
            assert!(target.mark_complete(&shard.body.run, shard.body.step).await.unwrap());
        }
        let steps: Vec<u64> = target.scan(None).await.unwrap().iter().map(|found| found.step.get()).collect();
        assert_eq!(steps, [4, 30, 100_000]);
    })
    .await;
}

#[tokio::test]
async fn ranks_that_disagree_about_the_world_are_never_complete() {
    each(async |target| {
        Shard::of_rank(0, 2, &[("a", bytes(1, 5))]).ship(&target).await.unwrap();
        Shard::of_rank(1, 3, &[("a", bytes(2, 5))]).ship(&target).await.unwrap();
        let (run, step) = place();
        assert!(matches!(target.mark_complete(&run, step).await, Err(Error::Manifest { .. })));
        assert!(target.scan(None).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn deleting_leaves_nothing_and_says_how_much_it_freed() {
    each(async |target| {
        let shards = complete(&target).await;
        let data: u64 = shards.iter().map(|shard| shard.body.bytes()).sum();
        let freed = target.delete(&place().0, place().1).await.unwrap();
        assert!(freed > data && freed < data + 10_000, "{freed}");
        assert!(objects(&target).await.is_empty());
        if let Some(path) = target.file_of(&target.0.layout.step(&place().0, place().1)) {
            assert!(!path.exists());
        }
        assert_eq!(target.delete(&place().0, place().1).await.unwrap(), 0, "where nothing is left it does nothing");
    })
    .await;
}

#[tokio::test]
async fn a_half_deleted_checkpoint_is_not_found_and_can_be_deleted_again() {
    each(async |target| {
        let shards = complete(&target).await;
        let (run, step) = place();
        target.store().delete(&target.0.layout.marker(&run, step)).await.unwrap();
        assert!(target.scan(None).await.unwrap().is_empty());
        target.store().delete(&target.0.layout.manifest(&run, step, shards[0].body.rank)).await.unwrap();
        target.store().delete(&shards[1].object(&target, "w")).await.unwrap();
        assert!(target.delete(&run, step).await.unwrap() > 0);
        assert!(objects(&target).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_deleted_step_can_be_shipped_again() {
    each(async |target| {
        complete(&target).await;
        target.delete(&place().0, place().1).await.unwrap();
        complete(&target).await;
    })
    .await;
}

#[tokio::test]
async fn a_probe_leaves_nothing() {
    each(async |target| {
        target.probe().await.unwrap();
        target.probe().await.unwrap();
        assert!(objects(&target).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_refused_at_once() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let url = url::Url::from_directory_path(file.path().join("below")).unwrap();
    let refused = Target::open("t".parse().unwrap(), url.as_str(), options()).unwrap_err();
    assert!(matches!(refused, Error::Config { .. }) && !refused.retryable(), "{refused}");
}

#[tokio::test]
async fn an_unreachable_store_is_an_error_and_never_an_empty_list() {
    let mut options = Options { retries: 0, ..options() };
    for (name, value) in [
        ("endpoint", "http://127.0.0.1:1"),
        ("allow_http", "true"),
        ("region", "x"),
        ("access_key_id", "AKIAxyz"),
        ("secret_access_key", "hunter2"),
    ] {
        options.store.insert(name.into(), value.into());
    }
    let target = Target::open("t".parse().unwrap(), "s3://bucket/p", options).unwrap();
    let error = target.scan(None).await.unwrap_err();
    assert!(error.retryable(), "{error}");
    assert!(target.probe().await.is_err());
    assert!(!error.to_string().contains("hunter2") && !error.to_string().contains("AKIAxyz"), "{error}");
}

#[tokio::test]
async fn what_was_sent_of_a_checkpoint_that_will_never_be_complete_is_deleted_rank_by_rank() {
    each(async |target| {
        let shards = complete(&target).await;
        let (run, step) = place();
        let ranks = [0_u64.try_into().unwrap()];
        assert_eq!(target.abandon(&run, step, &ranks).await.unwrap(), 0, "what is complete stays");
        target.store().delete(&target.0.layout.marker(&run, step)).await.unwrap();
        assert_eq!(target.abandon(&run, step, &ranks).await.unwrap(), shards[0].body.bytes());
        let left = objects(&target).await;
        assert!(left.len() == 3 && left.iter().all(|name| name.contains("00001")), "the other rank's stays: {left:?}");
        assert_eq!(target.abandon(&run, step, &ranks).await.unwrap(), 0);
        // What a killed writer of a manifest leaves in a directory.
        let unfinished = target.file_of(&target.0.layout.manifest(&run, step, 1_u64.try_into().unwrap()));
        if let Some(path) = &unfinished {
            std::fs::write(path.with_extension("cbor#1"), "half").unwrap();
        }
        let both = [0_u64, 1].map(|rank| rank.try_into().unwrap());
        assert_eq!(target.abandon(&run, step, &both).await.unwrap(), shards[1].body.bytes());
        assert!(objects(&target).await.is_empty());
        assert!(unfinished.is_none_or(|path| !path.parent().unwrap().exists()), "not even a directory");
    })
    .await;
}
