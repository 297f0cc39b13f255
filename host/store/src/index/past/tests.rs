use std::{path::Path, sync::Arc};

use tidegate_core::{Copy, ManualClock, Rank, Shard, Tier, Timestamp};

use super::*;
use crate::Index;

fn open(dir: &Path) -> Index {
    Index::open(dir, "h".parse().unwrap(), Arc::new(ManualClock::default())).unwrap()
}

fn run() -> RunName {
    "r".parse().unwrap()
}

fn step(step: u64) -> Step {
    step.try_into().unwrap()
}

/// A checkpoint whose only copy came at a place of the journal, and went at another.
fn checkpoint(nth: u64, since: Seq, gone: Option<Seq>) -> Checkpoint {
    let rank: Rank = 0_u64.try_into().unwrap();
    let copies = vec![Copy { tier: Tier::Nvme, since, verified: Some(since), gone, damaged: false, base: None }];
    let shard = Shard { rank, bytes: 1, files: 1, committed: since, body: None, copies };
    let mut made = Checkpoint::new(run(), step(nth), 1_u64.try_into().unwrap(), Timestamp(0));
    made.shards.insert(rank, shard);
    made.complete = Some(since);
    made
}

fn put(index: &Index, checkpoints: Vec<Checkpoint>) {
    index.write(move |tx| checkpoints.iter().try_for_each(|it| tx.put_checkpoint(it))).unwrap();
}

/// The steps of which records were decoded until `most` were there.
fn seen(view: &View, place: Option<Seq>, before: Option<u64>, most: usize) -> Vec<u64> {
    let mut seen = Vec::new();
    let each = |it: Checkpoint| {
        seen.push(it.step.get());
        seen.len() < most
    };
    match place {
        None => view.checkpoints(&run(), before.map(step), each),
        Some(place) => view.checkpoints_since(&run(), before.map(step), place, each),
    }
    .unwrap();
    seen
}

#[test]
fn a_listing_reads_as_many_records_as_it_shows_however_many_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(dir.path());
    const GONE: u64 = 100_000;
    // Each was there for ten places of the journal.
    for first in (1..=GONE).step_by(5000) {
        put(&index, (first..first + 5000).map(|nth| checkpoint(nth, nth, Some(nth + 10))).collect());
    }
    put(&index, (GONE + 1..=GONE + 20).map(|nth| checkpoint(nth, nth, None)).collect());
    let view = index.view();
    let live: Vec<u64> = (GONE + 1..=GONE + 20).rev().collect();
    assert_eq!(seen(&view, None, None, usize::MAX), live, "all of the present, and nothing else");
    assert_eq!(seen(&view, None, None, 5), live[..5]);
    assert_eq!(seen(&view, None, Some(GONE + 1), usize::MAX), [0; 0]);
    // A bot in the present reads the same; one that is three events behind reads three more.
    assert_eq!(seen(&view, Some(GONE + 10), None, usize::MAX), live);
    let behind = seen(&view, Some(GONE + 7), None, usize::MAX);
    assert_eq!(behind, [live.as_slice(), &[GONE, GONE - 1, GONE - 2]].concat());
    // To find the newest, and the runs, takes one record and no more.
    let looked = std::cell::Cell::new(0);
    view.newest(&run(), |it| {
        looked.set(looked.get() + 1);
        it.restorable()
    })
    .unwrap();
    assert_eq!((looked.get(), view.runs(None, 9).unwrap()), (1, vec![run()]));
}

#[test]
fn a_reader_behind_sees_what_had_not_ended_by_then_in_the_order_of_steps() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(dir.path());
    // Ended out of order, between others that live.
    put(&index, vec![checkpoint(1, 1, Some(50)), checkpoint(2, 2, None), checkpoint(3, 3, Some(20))]);
    put(&index, vec![checkpoint(4, 4, None), checkpoint(5, 5, Some(30)), checkpoint(6, 6, Some(40))]);
    let view = index.view();
    for (place, steps) in [
        (10, &[6, 5, 4, 3, 2, 1][..]),
        (19, &[6, 5, 4, 3, 2, 1]),
        (20, &[6, 5, 4, 2, 1]),
        (35, &[6, 4, 2, 1]),
        (50, &[4, 2]),
    ] {
        assert_eq!(seen(&view, Some(place), None, usize::MAX), steps, "as of {place}");
    }
    assert_eq!(seen(&view, Some(10), Some(5), 2), [4, 3]);
    assert_eq!(seen(&view, Some(10), Some(4), usize::MAX), [3, 2, 1]);
    assert_eq!(view.past_reached().unwrap(), 50);
    // By its name it is found whenever it was.
    let third = view.checkpoint(&run(), step(3)).unwrap().unwrap();
    assert!(third.as_of(19).is_some() && third.as_of(20).is_none());
}

#[test]
fn a_step_that_comes_back_leaves_the_past_and_may_end_again() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(dir.path());
    put(&index, vec![checkpoint(1, 1, Some(10))]);
    put(&index, vec![checkpoint(1, 20, None)]);
    assert_eq!((index.view().ended_by(99).unwrap(), seen(&index.view(), None, None, 9)), (vec![], vec![1]));
    // Both in one group: the second change sees the first.
    put(&index, vec![checkpoint(1, 20, Some(30)), checkpoint(1, 40, None), checkpoint(1, 40, Some(50))]);
    let view = index.view();
    assert_eq!(seen(&view, None, None, 9), [0; 0]);
    assert_eq!((view.ended_by(49).unwrap(), view.ended_by(50).unwrap()), (vec![], vec![(run(), step(1))]));
    assert_eq!((view.runs(None, 9).unwrap(), view.runs_ever(None, 9).unwrap()), (vec![], vec![run()]));
    index.write(|tx| tx.forget(&run(), step(1))).unwrap();
    let view = index.view();
    assert_eq!((view.checkpoint(&run(), step(1)).unwrap(), view.runs_ever(None, 9).unwrap()), (None, vec![]));
    assert_eq!(view.all::<Checkpoint>(Space::Past, 9).unwrap(), []);
}

#[test]
fn what_an_older_host_left_among_the_others_is_seen_as_it_was_before_and_after_it_moves() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(dir.path());
    let gone = checkpoint(1, 1, Some(10));
    let old = gone.clone();
    index.write(move |tx| tx.put(Space::Checkpoints, &checkpoint_key(&run(), step(1)), &old)).unwrap();
    put(&index, vec![checkpoint(2, 2, None)]);
    let as_of = |place: Seq| {
        let mut steps = Vec::new();
        let each = |it: Checkpoint| {
            steps.extend(it.as_of(place).map(|it| it.step.get()));
            true
        };
        index.view().checkpoints_since(&run(), None, place, each).unwrap();
        steps
    };
    let looks = || [as_of(1), as_of(9), as_of(10)];
    let before = looks();
    assert_eq!(before, [vec![1], vec![2, 1], vec![2]]);
    put(&index, vec![gone]);
    assert_eq!(looks(), before);
    assert_eq!(seen(&index.view(), None, None, 9), [2]);
}
