//! A host made of what another has recorded: it stands still, and versions of bots can be tried out on it.

use std::sync::Arc;

use tidegate_core::{Checkpoint, Clock, Event};
use tidegate_replica::Target;
use tidegate_sandbox::Sandbox;
use tidegate_store::{Space, Store, Tx};

use crate::{Host, Options, Result};

impl Host {
    /// A host over a fresh tier that does nothing by itself: no bots, no jobs, nothing is tidied up. It is there for
    /// [`Host::learn`], [`Host::add_plugin`] and [`Host::try_out`].
    ///
    /// # Errors
    /// An index that can't be read, a directory that can't be made.
    pub fn recorded(
        options: Options,
        clock: Arc<dyn Clock>,
        store: Arc<Store>,
        target: Arc<Target>,
        sandbox: Sandbox,
    ) -> Result<Self> {
        Self::assemble(options, clock, store, target, sandbox)
    }

    /// Takes events of another host in, in the order of their places, with the checkpoints that they tell of; see
    /// [`Checkpoint::after`] for what they don't tell. All of one call are one change.
    ///
    /// # Errors
    /// An index that can't be written.
    pub async fn learn(&self, events: Vec<Event>) -> Result<()> {
        let wanted = self.0.options.wanted_copies;
        let change = move |tx: &mut Tx<'_>| {
            for event in &events {
                tx.put(Space::Events, &event.seq.to_be_bytes(), event)?;
                if let Some((run, step)) = event.kind.changes()
                    && let Some(it) = Checkpoint::after(tx.checkpoint(run, step)?, event, wanted)
                {
                    tx.put_checkpoint(&it)?;
                }
            }
            Ok(())
        };
        self.0.store.index().write_async(change).await
    }
}
