use std::sync::Arc;

use tidegate_core::{EventKind, ManualClock, Timestamp};

use super::*;

fn open(dir: &Path) -> Index {
    Index::open(dir, "h".parse().unwrap(), Arc::new(ManualClock::at(Timestamp(5)))).unwrap()
}

fn fact(n: u64) -> EventKind {
    EventKind::CheckpointSealed { run: "r".parse().unwrap(), step: n.try_into().unwrap() }
}

#[test]
fn a_change_that_fails_leaves_nothing_and_no_gap() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(dir.path());
    let one = index.write(|tx| tx.append(fact(1))).unwrap();
    let failed: Result<()> = index.write(|tx| {
        tx.append(fact(2))?;
        tx.put(Space::Meta, b"k", &1)?;
        Err(Error::EmptySave)
    });
    assert!(failed.is_err());
    let two = index.write(|tx| tx.append(fact(3))).unwrap();
    assert_eq!((one, two), (1, 2));
    assert_eq!(index.view().get::<u64>(Space::Meta, b"k").unwrap(), None);
}

#[test]
fn a_change_that_panics_leaves_nothing_and_the_index_lives_on() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(dir.path());
    let panicked: Result<()> = index.write(|tx| {
        tx.append(fact(1))?;
        panic!("on purpose")
    });
    assert!(matches!(panicked, Err(Error::Broken)));
    assert_eq!(index.write(|tx| tx.append(fact(2))).unwrap(), 1);
}

#[test]
fn changes_of_many_threads_are_numbered_without_gaps_and_survive() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(dir.path());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..200).for_each(|n| assert!(index.write(move |tx| tx.append(fact(n))).is_ok())));
        }
    });
    drop(index);
    let index = open(dir.path());
    let events = index.view().events(0, 10_000).unwrap();
    assert!(events.iter().map(|event| event.seq).eq(1..=1600));
    assert_eq!(*index.head().borrow(), 1600);
}

#[test]
fn a_second_opener_is_told_who_is_in_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let _index = open(dir.path());
    let second = Index::open(dir.path(), "h".parse().unwrap(), Arc::new(ManualClock::default()));
    assert!(matches!(second, Err(Error::Locked(_))));
}

#[test]
fn runs_are_listed_by_name_without_reading_their_checkpoints() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(dir.path());
    for run in ["b", "a", "a.b", "a-b", "c"] {
        for step in 0..3_u64 {
            let key = checkpoint_key(&run.parse().unwrap(), step.try_into().unwrap());
            index.write(move |tx| -> Result<()> { tx.put(Space::Checkpoints, &key, &0) }).unwrap();
        }
    }
    let names = |after: Option<&str>, limit| -> Vec<String> {
        let after = after.map(|name| name.parse().unwrap());
        index.view().runs(after.as_ref(), limit).unwrap().iter().map(ToString::to_string).collect()
    };
    assert_eq!(names(None, 9), ["a", "a-b", "a.b", "b", "c"]);
    assert_eq!(names(Some("a"), 2), ["a-b", "a.b"]);
}
