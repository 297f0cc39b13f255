use super::*;
use crate::Error;

#[test]
fn a_checkpoint_is_complete_only_when_every_rank_has_committed() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    let first = bench.commit(begin(7, 1, 2), &[("a.bin", b"one")]).unwrap();
    assert!(!first.complete && bench.checkpoint(7).unwrap().complete.is_none());
    let second = bench.commit(begin(7, 0, 2), &[("a.bin", b"zero"), ("sub/b.bin", b"b")]).unwrap();
    assert!(second.complete && second.files == 2 && second.bytes == 5);
    let kinds: Vec<_> = bench.store.index().view().events(0, 9).unwrap().iter().map(|e| e.kind.name()).collect();
    assert_eq!(kinds[..3], ["shard-committed", "shard-committed", "checkpoint-complete"]);
}

#[test]
fn asking_again_for_a_commit_gives_the_same_answer() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    let save = bench.save(begin(1, 0, 1), &[("a", b"x")]);
    let once = bench.store.commit(&save.id, Metrics::default()).unwrap();
    assert_eq!(bench.store.commit(&save.id, Metrics::default()).unwrap(), once);
    assert!(bench.store.abort(&save.id).is_err());
}

#[test]
fn two_callers_of_one_commit_get_one_shard() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    let save = bench.save(begin(1, 0, 1), &[("a", b"x")]);
    let commit = || bench.store.commit(&save.id, Metrics::default()).unwrap();
    let (a, b) = std::thread::scope(|scope| {
        let (a, b) = (scope.spawn(commit), scope.spawn(commit));
        (a.join().unwrap(), b.join().unwrap())
    });
    assert_eq!(a, b);
}

#[test]
fn the_same_bytes_again_are_accepted_and_other_bytes_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    bench.commit(begin(1, 0, 1), &[("a", b"x")]).unwrap();
    let again = bench.commit(begin(1, 0, 1), &[("a", b"x")]).unwrap();
    assert!(again.reused);
    for other in [("a", b"y".as_slice()), ("b", b"x"), ("a", b"xx")] {
        assert!(matches!(bench.commit(begin(1, 0, 1), &[other]), Err(Error::OtherBytes { .. })), "{other:?}");
    }
    assert_eq!(
        fs::read(
            bench.store.shard_files(&"r".parse().unwrap(), 1.try_into().unwrap(), 0.try_into().unwrap()).join("a")
        )
        .unwrap(),
        b"x"
    );
    assert_eq!(bench.store.open_saves(), 0);
}

#[test]
fn ranks_that_disagree_on_the_world_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    let late = bench.save(begin(1, 2, 4), &[("a", b"x")]);
    bench.commit(begin(1, 0, 2), &[("a", b"x")]).unwrap();
    assert!(matches!(bench.store.begin(begin(1, 1, 3)), Err(Error::OtherWorld { .. })));
    assert!(matches!(bench.store.commit(&late.id, Metrics::default()), Err(Error::OtherWorld { .. })));
    assert!(matches!(bench.store.begin(begin(1, 2, 2)), Err(Error::OutsideWorld(..))));
}

#[test]
fn sealing_makes_a_body_that_names_every_byte() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    let large = vec![7; 9 << 20];
    bench.commit(begin(1, 0, 1), &[("large", &large), ("empty", b"")]).unwrap();
    let sealed = bench.sealed(1);
    let (run, step, rank) = (sealed.run.clone(), sealed.step, 0.try_into().unwrap());
    let body = bench.store.body(&run, step, rank).unwrap();
    assert_eq!(
        body.files.iter().map(|f| (f.path.as_str(), f.size, f.blocks.len())).collect::<Vec<_>>(),
        [("empty", 0, 0), ("large", 9 << 20, 3)]
    );
    assert_eq!(sealed.shards[&rank].body, Some(tidegate_core::Digest::of(&body.encode().unwrap())));
}

#[test]
fn a_removed_checkpoint_can_be_committed_again() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    bench.commit(begin(1, 0, 1), &[("a", b"x")]).unwrap();
    assert_eq!(bench.remove(1).bytes, 1);
    assert!(bench.checkpoint(1).unwrap().gone());
    assert_eq!(tree(dir.path()).iter().filter(|path| path.ends_with('a')).count(), 0);
    assert!(!bench.commit(begin(1, 0, 1), &[("a", b"other")]).unwrap().reused);
}
