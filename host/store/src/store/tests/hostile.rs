use std::{os::unix::fs::symlink, process::Command, time::Duration};

use super::*;
use crate::{Error, Writer};

#[test]
fn files_that_are_no_plain_files_are_refused_and_nothing_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    let outside = dir.path().join("outside");
    fs::write(&outside, "secret").unwrap();
    type Trick = fn(&Path, &Path);
    let tricks: [(&str, Trick); 7] = [
        ("a link out of the staging directory", |files, outside| symlink(outside, files.join("x")).unwrap()),
        ("a link to a directory", |files, _| symlink("/etc", files.join("x")).unwrap()),
        ("a link in the place of the staging directory", |files, outside| {
            fs::remove_dir_all(files).unwrap();
            symlink(outside.parent().unwrap(), files).unwrap();
        }),
        ("a hard link", |files, outside| fs::hard_link(outside, files.join("x")).unwrap()),
        ("a pipe", |files, _| assert!(Command::new("mkfifo").arg(files.join("x")).status().unwrap().success())),
        ("a control character", |files, _| fs::write(files.join("a\nb"), "x").unwrap()),
        ("a name that is not UTF-8", |files, _| {
            use std::os::unix::ffi::OsStrExt;
            fs::write(files.join(std::ffi::OsStr::from_bytes(b"\xff")), "x").unwrap();
        }),
    ];
    for (what, trick) in tricks {
        let save = bench.save(begin(1, 0, 1), &[("good", b"x")]);
        trick(&save.path, &outside);
        let refused = bench.store.commit(&save.id, Metrics::default());
        assert!(matches!(refused, Err(Error::BadFile { .. })), "{what}: {refused:?}");
        assert!(bench.checkpoint(1).is_none(), "{what}");
    }
    fs::remove_file(&outside).unwrap();
    assert_eq!(tree(dir.path()), EMPTY);
}

#[test]
fn a_save_without_a_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    assert!(matches!(bench.commit(begin(1, 0, 1), &[]), Err(Error::EmptySave)));
    assert_eq!(tree(dir.path()), EMPTY);
}

#[test]
fn a_save_that_does_not_fit_is_refused_before_its_first_byte() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    let (free, _) = bench.store.space().unwrap();
    let huge = |bytes| bench.store.begin(Begin { bytes: Some(bytes), ..begin(1, 0, 1) });
    assert!(matches!(huge(u64::MAX), Err(Error::TooLarge(_))));
    assert!(matches!(huge((free * 2).min(16 << 40)), Err(Error::NoSpace { .. })));
    // What others have announced counts as well.
    bench.store.begin(Begin { bytes: Some(free / 10 * 6), ..begin(1, 0, 1) }).unwrap();
    assert!(matches!(huge(free / 10 * 6), Err(Error::NoSpace { .. })));
    assert_eq!(bench.store.open_saves(), 1);
}

#[test]
fn of_two_saves_that_fit_only_alone_one_is_refused_however_close_they_come() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    let (free, _) = bench.store.space().unwrap();
    let at_once = std::sync::Barrier::new(8);
    let admitted: usize = std::thread::scope(|scope| {
        let begin = || {
            at_once.wait();
            usize::from(bench.store.begin(Begin { bytes: Some(free / 10 * 6), ..begin(1, 0, 1) }).is_ok())
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(begin)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(admitted, 1);
}

#[test]
fn room_that_a_restore_was_promised_is_not_given_to_a_save() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    let (free, _) = bench.store.space().unwrap();
    let most = free / 10 * 6;
    let begin = || bench.store.begin(Begin { bytes: Some(most), ..begin(1, 0, 1) });
    let room = bench.store.promise_room(dir.path().join("restores/r"), most).unwrap();
    assert!(matches!(begin(), Err(Error::NoSpace { .. })));
    assert!(matches!(bench.store.promise_room(dir.path().join("restores/s"), most), Err(Error::NoSpace { .. })));
    drop(room);
    begin().unwrap();
}

#[test]
fn a_writer_that_dies_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let writer = Writer { pid: i32::try_from(child.id()).ok(), uid, gid };
    let save = bench.store.begin(Begin { writer: Some(writer), ..begin(1, 0, 1) }).unwrap();
    fs::write(save.path.join("half"), "x").unwrap();
    assert_eq!(bench.store.reap().unwrap(), 0);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(bench.store.reap().unwrap(), 1);
    assert!(matches!(bench.store.commit(&save.id, Metrics::default()), Err(Error::UnknownSave(_))));
    assert_eq!(tree(dir.path()), EMPTY);
}

#[test]
fn a_save_past_its_deadline_is_given_up_unless_it_was_touched() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    let (kept, lost) = (bench.save(begin(1, 0, 2), &[("a", b"x")]), bench.save(begin(1, 1, 2), &[("a", b"x")]));
    bench.clock.advance(Duration::from_secs(3000));
    bench.store.touch(&kept.id).unwrap();
    bench.clock.advance(Duration::from_secs(700));
    assert_eq!(bench.store.reap().unwrap(), 1);
    assert!(bench.store.commit(&lost.id, Metrics::default()).is_err());
    assert!(bench.store.commit(&kept.id, Metrics::default()).is_ok());
}

#[test]
fn a_ranks_first_save_is_taken_to_be_as_large_as_its_fellows() {
    let dir = tempfile::tempdir().unwrap();
    let bench = open(dir.path());
    let run = "r".parse().unwrap();
    let expected = |rank: u64| bench.store.last_size(&run, rank.try_into().unwrap()).unwrap();
    assert_eq!(expected(0), 0, "nothing is known");
    bench.commit(begin(1, 0, 3), &[("a", &[7; 5000])]).unwrap();
    bench.commit(begin(1, 1, 3), &[("a", &[7; 300])]).unwrap();
    assert_eq!([0, 1, 2].map(expected), [5000, 300, 5000]);
}
