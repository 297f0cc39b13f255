use super::*;

#[test]
fn saves_in_progress_are_gone_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    let save = bench.save(begin(1, 0, 1), &[("a", b"x"), ("sub/b", b"y")]);
    drop(bench);
    let bench = open(dir.path());
    assert_eq!(bench.recovered, Recovered { saves: 1, ..Recovered::default() });
    assert!(bench.store.commit(&save.id, Metrics::default()).is_err());
    assert_eq!(tree(dir.path()), EMPTY);
}

#[test]
fn a_shard_that_was_renamed_but_never_acknowledged_is_gone_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    bench.commit(begin(1, 0, 1), &[("a", b"x")]).unwrap();
    bench.sealed(1);
    drop(bench);
    // What a crash between the rename and the index leaves.
    let copy = dir.path().join("runs/r/0000000000000002.00000/files");
    fs::create_dir_all(&copy).unwrap();
    fs::write(copy.join("a"), "never acknowledged").unwrap();
    let bench = open(dir.path());
    assert_eq!(bench.recovered, Recovered { strays: 1, ..Recovered::default() });
    assert!(bench.checkpoint(2).is_none() && !copy.exists());
    assert!(bench.checkpoint(1).unwrap().verified(Tier::Nvme));
}

#[test]
fn a_committed_shard_that_was_not_sealed_is_sealed_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    bench.commit(begin(1, 0, 1), &[("a", b"x")]).unwrap();
    drop(bench);
    let bench = open(dir.path());
    assert!(bench.recovered.unsealed <= 1);
    bench.sealed(1);
}

#[test]
fn files_that_vanished_from_the_tier_no_longer_count() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    bench.commit(begin(1, 0, 1), &[("a", b"x")]).unwrap();
    bench.sealed(1);
    drop(bench);
    fs::remove_dir_all(dir.path().join("runs")).unwrap();
    let bench = open(dir.path());
    assert_eq!(bench.recovered.missing, 1);
    assert!(bench.checkpoint(1).unwrap().gone());
    let events = bench.store.index().view().events(0, 99).unwrap();
    assert!(events.iter().any(|event| event.kind.name() == "shard-corrupt"));
}

#[test]
fn a_removal_that_stopped_half_way_is_finished_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    bench.commit(begin(1, 0, 1), &[("a", b"x")]).unwrap();
    bench.sealed(1);
    let shard = bench.store.shard_files(&"r".parse().unwrap(), 1.try_into().unwrap(), 0.try_into().unwrap());
    let kept = dir.path().join("kept");
    fs::rename(shard.parent().unwrap(), &kept).unwrap();
    bench.remove(1);
    drop(bench);
    // The index says gone, the files are still there.
    fs::rename(&kept, shard.parent().unwrap()).unwrap();
    let bench = open(dir.path());
    assert_eq!(bench.recovered.strays, 1);
    assert_eq!(tree(dir.path()), EMPTY);
}
