//! What keeps the index from growing without end: old facts, jobs that ended long ago, and records of checkpoints that
//! are gone.

use std::{ops::Bound, time::Duration};

use tidegate_core::{Checkpoint, Seq};
use tidegate_store::{Space, Store, Tx, checkpoint_key};

use crate::{Error, Host, Result, bots, error::blocking, jobs};

/// Facts that are kept whatever happens: at a checkpoint a minute of eight ranks, about two months.
const EVENTS: u64 = 1_000_000;
/// Keys that one change removes.
const AT_ONCE: usize = 4096;
const EVERY: Duration = Duration::from_secs(600);

/// Tidies up every ten minutes, until the host stops.
pub(crate) async fn run(host: Host) {
    loop {
        tokio::time::sleep(EVERY).await;
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
    for checkpoint in view.all::<Checkpoint>(Space::Checkpoints, usize::MAX)? {
        let gone = checkpoint.shards.values().flat_map(|shard| &shard.copies).filter_map(|copy| copy.gone).max();
        if !checkpoint.known() && !store.still_stands(&checkpoint) && gone.is_none_or(|at| at <= last) {
            old.push((Space::Checkpoints, checkpoint_key(&checkpoint.run, checkpoint.step)));
        }
    }
    // A job that has ended never comes back, and its effect is not accepted again: the cursor of its bot is past it.
    old.extend(jobs::forget(&view)?);
    for group in old.chunks(AT_ONCE) {
        let group = group.to_vec();
        store.index().write(move |tx: &mut Tx<'_>| {
            for (space, key) in group {
                // A step may have been committed again since the look.
                let back =
                    space == Space::Checkpoints && tx.get::<Checkpoint>(space, &key)?.is_some_and(|it| it.known());
                if !back {
                    tx.put_bytes(space, &key, None);
                }
            }
            Ok::<_, Error>(())
        })?;
    }
    Ok(old.len())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tidegate_core::{EventKind, ManualClock, Metrics};
    use tidegate_store::{Begin, Options};

    use super::*;

    #[test]
    fn only_old_facts_and_records_without_bytes_go() {
        let dir = tempfile::tempdir().unwrap();
        let mut options = Options::new(dir.path(), "h".parse().unwrap());
        options.reserve_bytes = 0;
        let (store, _) = Store::open(options, Arc::new(ManualClock::default())).unwrap();
        let run: tidegate_core::RunName = "r".parse().unwrap();
        let (rank, world_size) = (0.try_into().unwrap(), 1.try_into().unwrap());
        for step in 1..=2_u64 {
            let step = step.try_into().unwrap();
            let begin = Begin { run: run.clone(), step, rank, world_size, bytes: Some(1), writer: None };
            let save = store.begin(begin).unwrap();
            std::fs::write(save.path.join("a"), "x").unwrap();
            store.commit(&save.id, Metrics::default()).unwrap();
            store.seal_now(&run, step, rank).unwrap();
        }
        let first = 1.try_into().unwrap();
        let allow = |_: &Tx<'_>, _: Option<&Checkpoint>| Ok::<_, Error>(String::new());
        store.remove(&run, first, "test".into(), allow).unwrap();
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
}
