//! What keeps the index from growing without end: old facts, jobs that ended long ago, and records of checkpoints that
//! are gone.

use std::{ops::Bound, time::Duration};

use tidegate_core::{Checkpoint, Seq};
use tidegate_store::{Space, Store, Tx, View};

use crate::{Error, Host, Result, bots, error::blocking, jobs};

/// Facts that are kept whatever happens: at a checkpoint a minute of eight ranks, about two months.
const EVENTS: u64 = 1_000_000;
/// Keys that one change removes.
const AT_ONCE: usize = 4096;
const EVERY: Duration = Duration::from_secs(600);

/// Uploads that a killed host left are aborted when nobody has gone on with them for so long.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// Tidies up every ten minutes, until the host stops.
pub(crate) async fn run(host: Host) {
    loop {
        tokio::time::sleep(EVERY).await;
        match host.0.target.collect_uploads(ABANDONED).await {
            Ok(0) => {}
            Ok(collected) => tracing::info!(collected, "uploads that a killed host left were aborted"),
            Err(error) => tracing::warn!(%error, "uploads that a killed host left could not be aborted"),
        }
        let store = host.0.store.clone();
        match blocking(move || tidy(&store, EVENTS)).await {
            Ok(removed) if removed > 0 => tracing::info!(removed, "old facts and records were removed from the index"),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "old facts and records could not be removed from the index"),
        }
    }
}

/// Removes facts beyond the newest `keep` and records of checkpoints of which no byte is left, neither before every bot
/// has gone past them, one in quarantine too: its events wait for it; and jobs that ended long ago. Returns how many
/// keys went.
fn tidy(store: &Store, keep: u64) -> Result<usize> {
    let view = store.index().view();
    let slowest = bots::slowest_cursor(&view)?.unwrap_or(Seq::MAX);
    let last = view.head()?.saturating_sub(keep).min(slowest);
    let (mut old, end) = (Vec::new(), last.to_be_bytes());
    view.scan(Space::Events, (Bound::Unbounded, Bound::Included(&end)), false, |key, _| {
        old.push((Space::Events, key.to_vec()));
        Ok(true)
    })?;
    let records = forget(store, &view, last)? + move_to_the_past(store, &view)?;
    // A job that has ended never comes back, and its effect is not accepted again: the cursor of its bot is past it.
    old.extend(jobs::forget(&view)?);
    for group in old.chunks(AT_ONCE) {
        let group = group.to_vec();
        store.index().write(move |tx: &mut Tx<'_>| {
            group.iter().for_each(|(space, key)| tx.put_bytes(*space, key, None));
            Ok::<_, Error>(())
        })?;
    }
    Ok(old.len() + records)
}

/// Removes records of the past that nobody reads as of their time any more. One of which a directory still stands stays:
/// the next start must know that it was pruned.
fn forget(store: &Store, view: &View, last: Seq) -> Result<usize> {
    let mut old = Vec::new();
    for (run, step) in view.ended_by(last)? {
        if view.checkpoint(&run, step)?.is_some_and(|gone| !store.still_stands(&gone)) {
            old.push((run, step));
        }
    }
    for group in old.chunks(AT_ONCE) {
        let group = group.to_vec();
        store.index().write(move |tx: &mut Tx<'_>| {
            for (run, step) in group {
                // A step may have been committed again since the look, and may have ended again.
                if tx.checkpoint(&run, step)?.is_some_and(|it| !it.known() && it.went() <= last) {
                    tx.forget(&run, step)?;
                }
            }
            Ok::<_, Error>(())
        })?;
    }
    Ok(old.len())
}

/// An older host left records of which nothing is left among the others.
fn move_to_the_past(store: &Store, view: &View) -> Result<usize> {
    let mut gone = Vec::new();
    view.each(Space::Checkpoints, |it: Checkpoint| {
        if !it.known() {
            gone.push((it.run, it.step));
        }
    })?;
    for group in gone.chunks(AT_ONCE) {
        let group = group.to_vec();
        store.index().write(move |tx: &mut Tx<'_>| {
            for (run, step) in group {
                // It goes where it belongs, also one that was committed again since the look.
                if let Some(checkpoint) = tx.checkpoint(&run, step)? {
                    tx.put_checkpoint(&checkpoint)?;
                }
            }
            Ok::<_, Error>(())
        })?;
    }
    Ok(gone.len())
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use tidegate_core::{EventKind, ManualClock, Metrics, RunName};
    use tidegate_store::{Begin, Options, checkpoint_key};

    use super::*;

    fn open(dir: &Path) -> Store {
        let mut options = Options::new(dir, "h".parse().unwrap());
        options.reserve_bytes = 0;
        Store::open(options, Arc::new(ManualClock::default())).unwrap().0
    }

    /// Two sealed checkpoints, of which the first is pruned.
    fn filled(store: &Store) -> RunName {
        let run: RunName = "r".parse().unwrap();
        let (rank, world_size) = (0.try_into().unwrap(), 1.try_into().unwrap());
        for step in 1..=2_u64 {
            let step = step.try_into().unwrap();
            let begin = Begin { run: run.clone(), step, rank, world_size, bytes: Some(1), writer: None };
            let save = store.begin(begin).unwrap();
            std::fs::write(save.path.join("a"), "x").unwrap();
            store.commit(&save.id, Metrics::default()).unwrap();
            store.seal_now(&run, step, rank).unwrap();
        }
        let allow = |_: &Tx<'_>, _: Option<&Checkpoint>| Ok::<_, Error>(String::new());
        store.remove(&run, 1.try_into().unwrap(), "test".into(), allow).unwrap();
        run
    }

    #[test]
    fn only_old_facts_and_records_without_bytes_go() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let (run, first) = (filled(&store), 1.try_into().unwrap());
        for _ in 0..10 {
            let fact = EventKind::CheckpointSealed { run: run.clone(), step: first };
            store.index().write(move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.append(fact)?)).unwrap();
        }
        tidy(&store, 5).unwrap();
        let view = store.index().view();
        let head = view.head().unwrap();
        assert!(view.events(0, 99).unwrap().iter().map(|event| event.seq).eq(head - 4..=head));
        assert_eq!(view.checkpoint(&run, first).unwrap(), None);
        assert!(view.checkpoint(&run, 2.try_into().unwrap()).unwrap().is_some());
    }
    #[test]
    fn a_record_without_bytes_of_an_older_host_moves_to_the_past_and_goes_from_there() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let (run, first) = (filled(&store), 1.try_into().unwrap());
        let (name, key) = (run.clone(), checkpoint_key(&run, first));
        let old_way = move |tx: &mut Tx<'_>| {
            let gone = tx.checkpoint(&name, first)?.unwrap();
            tx.forget(&name, first)?;
            Ok::<_, Error>(tx.put(Space::Checkpoints, &key, &gone)?)
        };
        store.index().write(old_way).unwrap();
        let among_others = || store.index().view().all::<Checkpoint>(Space::Checkpoints, 9).unwrap().len();
        assert_eq!(among_others(), 2);
        assert_eq!(tidy(&store, 1000).unwrap(), 1);
        assert_eq!((among_others(), tidy(&store, 1000).unwrap()), (1, 0));
        assert!(store.index().view().checkpoint(&run, first).unwrap().is_some(), "a bot behind may still ask for it");
        tidy(&store, 0).unwrap();
        assert_eq!(store.index().view().checkpoint(&run, first).unwrap(), None);
    }
}
