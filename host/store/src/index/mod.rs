//! The index: an embedded ordered key-value store with one writer.
//!
//! All changes go through [`Index::write`]: closures that read and write as if alone. One thread runs those that wait,
//! puts what they wrote into a single batch, syncs once, and only then answers each (group commit). A sync that fails is
//! never tried again: the index is broken from then on, and the host has to be restarted.

mod past;
mod spaces;
mod tx;
mod view;
mod writer;

use std::{path::Path, sync::Arc, sync::mpsc, thread::JoinHandle};

use fjall::{Database, KeyspaceCreateOptions};
use tidegate_core::{Clock, HostName, Seq};
use tokio::sync::{oneshot, watch};

pub(crate) use spaces::Keyspaces;
pub use spaces::{Space, checkpoint_key};
pub use tx::Tx;
pub use view::View;

use crate::{Error, Result, tier::sync_dir};
use writer::{Ask, Writer};

/// Changes that may wait for the writer; more wait in `write`.
const QUEUE: usize = 4096;

/// The index. Dropping it waits for changes that were accepted.
pub struct Index {
    db: Database,
    spaces: Keyspaces,
    asks: Option<mpsc::SyncSender<Ask>>,
    head: watch::Receiver<Seq>,
    broken: watch::Receiver<bool>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").field("head", &*self.head.borrow()).finish_non_exhaustive()
    }
}

impl Index {
    /// Opens or creates the index in a directory.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process has it, [`Error::Open`] if it is damaged.
    pub fn open(path: &Path, host: HostName, clock: Arc<dyn Clock>) -> Result<Self> {
        // Small: this runs beside trainers, and the index of a million checkpoints is read by key.
        let opened = Database::builder(path).worker_threads(1).cache_size(32 << 20).open();
        let db = opened.map_err(|source| match source {
            fjall::Error::Locked => Error::Locked(path.into()),
            cause => Error::Open { path: path.into(), cause },
        })?;
        let spaces = Keyspaces::open(|name| db.keyspace(name, KeyspaceCreateOptions::default))?;
        // The database syncs what it puts into the directory of each space, but not their names.
        sync_dir(&path.join("keyspaces"))?;
        let view = View::new(db.snapshot(), spaces.clone());
        let (head_sender, head) = watch::channel(view.head()?);
        let (broken_sender, broken) = watch::channel(false);
        let (asks, inbox) = mpsc::sync_channel(QUEUE);
        let writer = Writer::new(db.clone(), spaces.clone(), host, clock, head_sender, broken_sender);
        let thread = std::thread::Builder::new().name("tidegate-index".into()).spawn(move || writer.run(&inbox));
        let thread = Some(crate::error::Context::during(thread, "start a thread for", path)?);
        Ok(Self { db, spaces, asks: Some(asks), head, broken, thread })
    }

    /// Runs a change. What it wrote is durable when this returns its value; if it returns an error, nothing of it is.
    /// Blocks while the queue is full.
    ///
    /// # Errors
    /// The change's own error, or [`Error::Broken`] if it could not be synced.
    pub fn write<R, E>(&self, change: impl FnOnce(&mut Tx<'_>) -> Result<R, E> + Send + 'static) -> Result<R, E>
    where
        R: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.submit(change)?.blocking_recv().unwrap_or_else(|_| Err(Error::Broken.into()))
    }

    /// The same for async callers. The change is carried out even if the caller stops waiting.
    ///
    /// # Errors
    /// As [`Index::write`].
    pub async fn write_async<R, E>(
        &self,
        change: impl FnOnce(&mut Tx<'_>) -> Result<R, E> + Send + 'static,
    ) -> Result<R, E>
    where
        R: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.submit(change)?.await.unwrap_or_else(|_| Err(Error::Broken.into()))
    }

    fn submit<R, E>(
        &self,
        change: impl FnOnce(&mut Tx<'_>) -> Result<R, E> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<R, E>>>
    where
        R: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let ask: Ask = Box::new(move |tx| {
            let outcome = change(tx);
            let keep = outcome.is_ok();
            let tell: writer::Tell = Box::new(move |synced| {
                let _ = answer.send(if synced || !keep { outcome } else { Err(Error::Broken.into()) });
            });
            (keep, tell)
        });
        self.asks.as_ref().ok_or(Error::Closing)?.send(ask).map_err(|_| Error::Broken)?;
        Ok(answered)
    }

    /// A consistent picture of now.
    pub fn view(&self) -> View {
        View::new(self.db.snapshot(), self.spaces.clone())
    }

    /// The last place of the journal. It is copied: who holds what a channel lends, and asks for it once more, waits for ever if a
    /// writer has come between.
    pub fn last(&self) -> Seq {
        *self.head.borrow()
    }

    /// The last place in the journal, as it grows.
    pub fn head(&self) -> watch::Receiver<Seq> {
        self.head.clone()
    }

    /// Becomes true when a sync has failed: the host must stop.
    pub fn broken(&self) -> watch::Receiver<bool> {
        self.broken.clone()
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.asks.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
