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
    // What a crash between the rename and the index leaves: the shard, and an index that has not heard of it.
    let before = index_of(dir.path());
    let bench = open(dir.path());
    bench.commit(begin(2, 0, 1), &[("a", b"never acknowledged")]).unwrap();
    bench.sealed(2);
    drop(bench);
    let shard = dir.path().join("runs/r/0000000000000002.00000");
    fs::remove_file(shard.join("body.cbor")).unwrap();
    fs::remove_file(shard.join("answered")).unwrap();
    put_back(dir.path(), &before);
    let bench = open(dir.path());
    assert_eq!(bench.recovered, Recovered { strays: 1, ..Recovered::default() });
    assert!(bench.checkpoint(2).is_none() && !shard.exists());
    assert!(bench.checkpoint(1).unwrap().verified(Tier::Nvme));
}

#[test]
fn what_an_index_that_lost_its_end_has_forgotten_is_taken_in_again() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    bench.commit(begin(1, 0, 1), &[("a", b"one")]).unwrap();
    bench.commit(begin(2, 0, 1), &[("a", b"two")]).unwrap();
    bench.sealed(1);
    bench.sealed(2);
    drop(bench);
    let before = index_of(dir.path());
    let known_since = open(dir.path()).store.knows_since().unwrap();
    let bench = open(dir.path());
    bench.remove(1);
    bench.commit(begin(1, 0, 1), &[("a", b"one")]).unwrap();
    bench.commit(begin(3, 0, 1), &[("a", b"three")]).unwrap();
    bench.commit(begin(4, 0, 1), &[("a", b"four")]).unwrap();
    let head = bench.store.index().view().head().unwrap();
    drop(bench);
    // The last is the one that may look as if it had not been answered; the one before tells that the index lost its end.
    for (step, sign) in [(4, "body.cbor"), (4, "answered"), (3, "body.cbor"), (3, "answered")] {
        let _ = fs::remove_file(dir.path().join(format!("runs/r/{step:016}.00000/{sign}")));
    }
    put_back(dir.path(), &before);
    let bench = open(dir.path());
    assert_eq!((bench.recovered.rebuilt, bench.recovered.strays), (2, 0));
    for step in 1..=4 {
        assert!(bench.sealed(step).safe(), "{step}");
    }
    assert!(bench.store.index().view().head().unwrap() > head, "no place of the journal is given twice");
    assert_ne!(bench.store.knows_since().unwrap(), known_since, "what it knew of object storage is looked up again");
    bench.remove(4);
    drop(bench);
    // Once is enough, and what was pruned since stays so.
    assert_eq!(open(dir.path()).recovered, Recovered::default());
}

#[test]
fn an_index_whose_journal_is_cut_short_loses_no_shard() {
    for parts in [1, 3, 5, 8, 9] {
        let dir = tempfile::tempdir().unwrap();
        let bench = open(dir.path());
        for step in 1..=9 {
            bench.commit(begin(step, 0, 1), &[("a", b"bytes")]).unwrap();
            bench.sealed(step);
        }
        drop(bench);
        let journal = dir.path().join("index/0.jnl");
        let mut bytes = fs::read(&journal).unwrap();
        let written = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        bytes.truncate(written * parts / 10);
        fs::write(&journal, bytes).unwrap();
        let bench = open(dir.path());
        assert!(bench.recovered.rebuilt > 0, "{parts} tenths");
        assert_eq!(bench.recovered.strays, 0, "{parts} tenths");
        for step in 1..=9 {
            assert!(bench.sealed(step).safe(), "step {step} of {parts} tenths");
        }
    }
}

#[test]
fn ranks_that_committed_last_and_together_are_not_forgotten_with_the_index_end() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    bench.commit(begin(1, 0, 1), &[("a", b"one")]).unwrap();
    bench.sealed(1);
    drop(bench);
    let before = index_of(dir.path());
    let bench = open(dir.path());
    std::thread::scope(|scope| {
        let saves = [0, 1, 2].map(|rank| bench.save(begin(2, rank, 3), &[("a", b"share")]));
        for save in saves {
            let store = &bench.store;
            scope.spawn(move || store.commit(&save.id, Metrics::default()).unwrap());
        }
    });
    bench.store.end_sealing();
    drop(bench);
    for rank in 0..3 {
        // As if none was sealed: only the mark tells of them.
        let _ = fs::remove_file(dir.path().join(format!("runs/r/0000000000000002.{rank:05}/body.cbor")));
    }
    put_back(dir.path(), &before);
    let bench = open(dir.path());
    assert_eq!((bench.recovered.rebuilt, bench.recovered.strays), (3, 0));
    assert!(bench.sealed(2).safe());
}

#[test]
fn a_pruned_rank_does_not_come_back_beside_a_save_of_the_same_step() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    bench.commit(begin(1, 0, 2), &[("a", b"zero")]).unwrap();
    bench.commit(begin(1, 1, 2), &[("a", b"one")]).unwrap();
    bench.sealed(1);
    let place = dir.path().join("runs/r/0000000000000001.00001");
    let kept = dir.path().join("kept");
    fs::rename(&place, &kept).unwrap();
    bench.remove(1);
    // The other rank trains the step anew, with other bytes, before the directory has gone; then the host dies.
    bench.commit(begin(1, 0, 2), &[("a", b"zero anew")]).unwrap();
    drop(bench);
    fs::rename(&kept, &place).unwrap();
    let bench = open(dir.path());
    assert_eq!((bench.recovered.rebuilt, bench.recovered.strays), (0, 1));
    assert!(!place.exists() && bench.checkpoint(1).unwrap().complete.is_none());
    assert!(bench.commit(begin(1, 1, 2), &[("a", b"one anew")]).unwrap().complete);
}

#[test]
fn a_shard_that_was_missing_and_is_back_is_set_aside_and_not_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    bench.commit(begin(1, 0, 1), &[("a", b"x")]).unwrap();
    bench.sealed(1);
    drop(bench);
    let away = dir.path().join("away");
    fs::rename(dir.path().join("runs/r"), &away).unwrap();
    let bench = open(dir.path());
    assert!(bench.recovered.missing == 1 && bench.checkpoint(1).unwrap().lost());
    drop(bench);
    fs::rename(&away, dir.path().join("runs/r")).unwrap();
    let bench = open(dir.path());
    assert_eq!(bench.recovered, Recovered::default());
    assert!(bench.checkpoint(1).unwrap().lost());
    let aside = tree(&dir.path().join("quarantine"));
    assert!(aside.iter().any(|path| path.ends_with("files/a")), "{aside:?}");
}

#[test]
fn what_cannot_be_read_now_is_neither_set_aside_nor_deleted() {
    use std::os::unix::fs::PermissionsExt;
    // Root may read anything.
    if !as_nobody("what_cannot_be_read_now_is_neither_set_aside_nor_deleted") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    bench.commit(begin(1, 0, 1), &[("a", b"x")]).unwrap();
    bench.sealed(1);
    drop(bench);
    let (shard, index) = (dir.path().join("runs/r/0000000000000001.00000"), dir.path().join("index"));
    fs::remove_dir_all(index).unwrap();
    let allow = |mode| fs::set_permissions(&shard, fs::Permissions::from_mode(mode)).unwrap();
    allow(0);
    let mut options = Options::new(dir.path(), "h".parse().unwrap());
    options.reserve_bytes = 0;
    assert!(Store::open(options, Arc::new(ManualClock::default())).is_err(), "it does not go on without the shard");
    allow(0o700);
    let bench = open(dir.path());
    assert_eq!(bench.recovered.rebuilt, 1);
    assert!(bench.checkpoint(1).unwrap().safe());
}

#[test]
fn a_step_that_was_saved_again_with_other_bytes_counts_when_an_earlier_index_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    for step in 1..=3 {
        bench.commit(begin(step, 0, 1), &[("a", b"first")]).unwrap();
        bench.sealed(step);
    }
    drop(bench);
    let before = index_of(dir.path());
    let bench = open(dir.path());
    bench.remove(2);
    bench.commit(begin(2, 0, 1), &[("a", b"anew!")]).unwrap();
    let anew = bench.sealed(2).shards[&0.try_into().unwrap()].body;
    drop(bench);
    put_back(dir.path(), &before);
    let bench = open(dir.path());
    assert_eq!(bench.recovered.rebuilt, 1);
    assert_eq!(bench.sealed(2).shards[&0.try_into().unwrap()].body, anew);
    assert!([1, 3].iter().all(|step| bench.checkpoint(*step).unwrap().safe()));
    drop(bench);
    assert_eq!(open(dir.path()).recovered, Recovered::default());
}

#[test]
fn a_journal_that_lost_events_of_which_records_tell_goes_on_behind_them() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    bench.commit(begin(1, 0, 1), &[("a", b"x")]).unwrap();
    bench.sealed(1);
    let head = bench.store.index().view().head().unwrap();
    let lose = move |tx: &mut crate::Tx<'_>| {
        (1..=head).for_each(|seq| tx.put_bytes(crate::Space::Events, &seq.to_be_bytes(), None));
        Ok::<_, crate::Error>(())
    };
    bench.store.index().write(lose).unwrap();
    drop(bench);
    let bench = open(dir.path());
    let events = bench.store.index().view().events(0, 9).unwrap();
    assert!(events.len() == 1 && events[0].seq > head && events[0].kind.name() == "index-rebuilt", "{events:?}");
    drop(bench);
    let bench = open(dir.path());
    assert_eq!(bench.store.index().view().events(0, 9).unwrap().len(), 1, "once is enough");
}

/// The index as it is on disk, while nobody has it.
fn index_of(tier: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_tree(&tier.join("index"), copy.path());
    copy
}

/// Puts an earlier index in the place of the index.
fn put_back(tier: &Path, earlier: &tempfile::TempDir) {
    fs::remove_dir_all(tier.join("index")).unwrap();
    copy_tree(earlier.path(), &tier.join("index"));
}

fn copy_tree(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().unwrap();
    assert!(copied.success());
}

#[test]
fn a_committed_shard_that_was_not_sealed_is_sealed_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    bench.commit(begin(1, 0, 1), &[("a", b"x")]).unwrap();
    bench.sealed(1);
    drop(bench);
    unseal(dir.path(), 1);
    let bench = open(dir.path());
    assert_eq!(bench.recovered, Recovered { unsealed: 1, ..Recovered::default() });
    while !bench.checkpoint(1).unwrap().verified(Tier::Nvme) {
        std::thread::yield_now();
    }
}

#[test]
fn a_file_that_changes_after_its_commit_is_set_aside_and_never_verified() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    bench.commit(begin(1, 0, 1), &[("a", b"committed")]).unwrap();
    bench.sealed(1);
    let files = bench.store.shard_files(&"r".parse().unwrap(), 1.try_into().unwrap(), 0.try_into().unwrap());
    drop(bench);
    unseal(dir.path(), 1);
    // Of the same size, through the back door, before its digests are made.
    fs::remove_file(files.join("a")).unwrap();
    fs::write(files.join("a"), "overwrite").unwrap();
    let bench = open(dir.path());
    while bench.checkpoint(1).unwrap().present(Tier::Nvme) {
        std::thread::yield_now();
    }
    drop(bench);
    let bench = open(dir.path());
    assert!(bench.checkpoint(1).unwrap().gone());
    assert_eq!(fs::read(dir.path().join("quarantine/r.1.0/files/a")).unwrap(), b"overwrite");
    let events = bench.store.index().view().events(0, 99).unwrap();
    let corrupt = events.iter().filter(|event| event.kind.name() == "shard-corrupt").count();
    let sealed = events.iter().filter(|event| event.kind.name() == "checkpoint-sealed").count();
    assert_eq!((corrupt, sealed), (1, 1), "it was sealed once, before it was changed");
}

#[test]
fn a_shard_that_was_set_aside_before_it_was_sealed_can_be_saved_again() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    // The other rank keeps the checkpoint alive.
    bench.commit(begin(1, 0, 2), &[("a", b"zero")]).unwrap();
    bench.commit(begin(1, 1, 2), &[("a", b"one")]).unwrap();
    bench.sealed(1);
    drop(bench);
    unseal(dir.path(), 1);
    let bench = open(dir.path());
    let (run, step, rank) = ("r".parse().unwrap(), 1.try_into().unwrap(), 0.try_into().unwrap());
    bench.store.set_aside(&run, step, rank, "found in a test".into()).unwrap();
    let again = bench.commit(begin(1, 0, 2), &[("a", b"trained anew")]).unwrap();
    assert!(!again.reused && again.complete);
    assert_eq!(bench.sealed(1).shards[&rank].bytes, 12);
}

/// Takes a checkpoint's digests away, as if the host had died before they were made.
fn unseal(tier: &Path, step: u64) {
    let index =
        crate::Index::open(&tier.join("index"), "h".parse().unwrap(), Arc::new(ManualClock::default())).unwrap();
    let shards = tier.join("runs/r");
    index
        .write(move |tx| {
            let mut it = tx.checkpoint(&"r".parse().unwrap(), step.try_into().unwrap())?.unwrap();
            for shard in it.shards.values_mut() {
                shard.body = None;
                shard.copies.iter_mut().for_each(|copy| copy.verified = None);
                fs::remove_file(shards.join(format!("{step:016}.{:05}/body.cbor", shard.rank.get()))).unwrap();
            }
            tx.put_checkpoint(&it)
        })
        .unwrap();
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

#[test]
fn an_index_that_was_lost_is_made_anew_from_the_tier() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    bench.commit(begin(1, 0, 1), &[("a", b"one")]).unwrap();
    let sealed = bench.sealed(1);
    let save = bench.save(begin(2, 0, 2), &[("sub/a", b"two")]);
    let metrics = Metrics::try_from(std::collections::BTreeMap::from([("loss".to_owned(), 0.5)])).unwrap();
    bench.store.commit(&save.id, metrics).unwrap();
    bench.commit(begin(2, 1, 2), &[("b", b"three")]).unwrap();
    drop(bench);
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    // Step 2 was perhaps not sealed; what is certain is that it can be.
    let bench = open(dir.path());
    assert_eq!((bench.recovered.rebuilt, bench.recovered.strays), (3, 0));
    let first = bench.checkpoint(1).unwrap();
    let rank = 0.try_into().unwrap();
    assert!(first.verified(Tier::Nvme), "its digests were kept");
    assert_eq!(first.shards[&rank].body, sealed.shards[&rank].body);
    let second = bench.sealed(2);
    assert!(second.complete.is_some() && second.metrics.get("loss") == Some(0.5));
    drop(bench);
    assert_eq!(open(dir.path()).recovered, Recovered::default(), "once is enough");
}

#[test]
fn what_a_lost_index_leaves_that_is_no_shard_is_set_aside_and_not_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    for step in 1..=4 {
        bench.commit(begin(step, 0, 1), &[("a", b"bytes")]).unwrap();
        bench.sealed(step);
    }
    drop(bench);
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    let shard = |step: u64| dir.path().join(format!("runs/r/{step:016}.00000"));
    fs::write(shard(1).join("commit.cbor"), "no record").unwrap();
    fs::rename(shard(2), shard(7)).unwrap();
    fs::remove_file(shard(3).join("files/a")).unwrap();
    let bench = open(dir.path());
    assert_eq!(bench.recovered, Recovered { rebuilt: 1, ..Recovered::default() });
    assert!(bench.checkpoint(4).unwrap().verified(Tier::Nvme));
    for step in [1, 2, 3, 7] {
        assert!(bench.checkpoint(step).is_none() && !shard(step).exists(), "{step}");
    }
    let aside = tree(&dir.path().join("quarantine"));
    assert_eq!(aside.iter().filter(|path| path.ends_with("commit.cbor")).count(), 3, "{aside:?}");
}

#[test]
fn directories_that_lost_their_rights_stop_neither_a_save_nor_a_start() {
    use std::os::unix::fs::PermissionsExt;
    // Root may delete anything.
    if !as_nobody("directories_that_lost_their_rights_stop_neither_a_save_nor_a_start") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    let shut = |save: &Save| fs::set_permissions(save.path.join("sub"), fs::Permissions::from_mode(0o555)).unwrap();
    let aborted = bench.save(begin(1, 0, 1), &[("sub/a", b"x")]);
    shut(&aborted);
    bench.store.abort(&aborted.id).unwrap();
    let open_still = bench.save(begin(1, 0, 1), &[("sub/a", b"x")]);
    shut(&open_still);
    drop(bench);
    let bench = open(dir.path());
    assert_eq!(bench.recovered.saves, 1);
    assert_eq!(tree(dir.path()), EMPTY);
}

/// True if the test goes on here. As root it is run again, as a user without rights, and has passed when this returns.
fn as_nobody(test: &str) -> bool {
    if !rustix::process::geteuid().is_root() {
        return true;
    }
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let binary = dir.path().join("tests");
    fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(binary).arg(test).current_dir("/");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    false
}
