use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
};

use fjall::{Database, PersistMode};
use tidegate_core::{Clock, HostName, Seq};
use tokio::sync::watch;

use super::{
    Keyspaces, Tx,
    tx::{Writes, into_batch},
};

/// A change: says whether to keep what it wrote, and hands back how to tell its caller once that is synced.
pub(super) type Ask = Box<dyn FnOnce(&mut Tx<'_>) -> (bool, Tell) + Send>;
/// Tells the caller; the argument is whether the group was synced.
pub(super) type Tell = Box<dyn FnOnce(bool) + Send>;

/// Changes in one group: bounds memory and the wait of the first.
const GROUP: usize = 1024;

/// The one thread that writes.
pub(super) struct Writer {
    db: Database,
    spaces: Keyspaces,
    host: HostName,
    clock: Arc<dyn Clock>,
    head: watch::Sender<Seq>,
    broken: watch::Sender<bool>,
}

impl Writer {
    pub(super) fn new(
        db: Database,
        spaces: Keyspaces,
        host: HostName,
        clock: Arc<dyn Clock>,
        head: watch::Sender<Seq>,
        broken: watch::Sender<bool>,
    ) -> Self {
        Self { db, spaces, host, clock, head, broken }
    }

    pub(super) fn run(self, inbox: &mpsc::Receiver<Ask>) {
        while let Ok(first) = inbox.recv() {
            let waiting = std::iter::once(first).chain(inbox.try_iter()).take(GROUP);
            self.commit(waiting);
        }
    }

    fn commit(&self, asks: impl Iterator<Item = Ask>) {
        let mut group = Writes::new();
        let mut tells = Vec::new();
        let before = *self.head.borrow();
        let mut head = before;
        let now = self.clock.now();
        for ask in asks {
            let (spaces, host) = (&self.spaces, &self.host);
            let mut tx = Tx { spaces, group: &group, own: Writes::new(), host, now, next: head + 1 };
            // A change that panics must not take the index with it: its caller sees a closed channel.
            let Ok((keep, tell)) = catch_unwind(AssertUnwindSafe(|| ask(&mut tx))) else {
                tracing::error!("a change to the index panicked; nothing of it is kept");
                continue;
            };
            let (own, next) = (tx.own, tx.next);
            if keep {
                group.extend(own);
                head = next - 1;
            }
            tells.push(tell);
        }
        let synced = !*self.broken.borrow() && self.sync(group);
        if synced && head > before {
            self.head.send_replace(head);
        }
        for tell in tells {
            tell(synced);
        }
    }

    /// One batch, one sync. After a failure nothing is ever written again.
    fn sync(&self, group: Writes) -> bool {
        if group.is_empty() {
            return true;
        }
        let mut batch = self.db.batch().durability(Some(PersistMode::SyncAll));
        into_batch(group, &self.spaces, &mut batch);
        match batch.commit() {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "the index could not be synced: nothing more is accepted, restart the host");
                self.broken.send_replace(true);
                false
            }
        }
    }
}
