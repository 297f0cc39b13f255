//! Which checkpoints others can't be read without.
//!
//! A shard whose packs are differences needs its base as long as it is there. No host may delete a base while another one ships
//! what needs it, and neither holds a lock: each first writes what it is about to do, and then looks for what the other wrote.
//!
//! - Who ships writes a *reference* below the base (`needed-by/<step>-<rank>`), then packs and manifest, and then looks for a
//!   tombstone on the base. Where there is one, it takes its manifest back and ships without a base.
//! - Who deletes writes a *tombstone* (`deleting`), and then looks for references whose manifests are there. Where there is one, it takes
//!   the tombstone back and deletes nothing.
//!
//! Stores show what was written to every reader at once (S3, GCS, Azure and directories do), so one of the two sees the other, whatever
//! the order; both may give way, and neither is wrong. A crash leaves a reference without a manifest, which counts for nothing,
//! or a tombstone, which keeps the checkpoint from being made a base until its deletion is tried again.

use futures::TryStreamExt;
use object_store::{ObjectStoreExt, PutPayload, path::Path};
use tidegate_core::{Rank, RunName, Step};

use super::Target;
use crate::{Error, layout};

impl Target {
    /// Notes that the shard of this step is about to need its base.
    pub(crate) async fn refer(&self, run: &RunName, base: Step, step: Step, rank: Rank) -> Result<(), Error> {
        let object = self.0.layout.reference(run, base, step, rank);
        let text = format!("step {step}, rank {rank} is kept as differences from step {base}\n");
        let put = self.store().put(&object, PutPayload::from(text.into_bytes())).await;
        put.map(drop).map_err(|error| self.failed("write", &object, error))
    }

    /// Takes references back.
    pub(crate) async fn release(&self, run: &RunName, needs: &[(Step, Step, Rank)]) -> Result<(), Error> {
        for (base, step, rank) in needs {
            let object = self.0.layout.reference(run, *base, *step, *rank);
            match self.store().delete(&object).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.failed("delete", &object, error)),
            }
        }
        Ok(())
    }

    /// Whether somebody is about to delete it.
    pub(crate) async fn condemned(&self, run: &RunName, step: Step) -> Result<bool, Error> {
        Ok(self.head(&self.0.layout.tombstone(run, step)).await?.is_some())
    }

    /// Makes sure that nothing begins to need a checkpoint that is about to be deleted; [`Target::spare`] takes it back. None if it may
    /// be deleted; else a later step that needs it, and then nothing is changed.
    ///
    /// # Errors
    /// What the store says. It can be called again.
    pub async fn condemn(&self, run: &RunName, step: Step) -> Result<Option<Step>, Error> {
        let tombstone = self.0.layout.tombstone(run, step);
        let put = self.store().put(&tombstone, PutPayload::from_static(b"about to be deleted\n")).await;
        put.map_err(|error| self.failed("write", &tombstone, error))?;
        let needed = self.needed_by(run, step).await?;
        if needed.is_some() {
            self.spare(run, step).await?;
        }
        Ok(needed)
    }

    /// Takes back that a checkpoint is about to be deleted.
    ///
    /// # Errors
    /// What the store says. It can be called again.
    pub async fn spare(&self, run: &RunName, step: Step) -> Result<(), Error> {
        let tombstone = self.0.layout.tombstone(run, step);
        match self.store().delete(&tombstone).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("delete", &tombstone, error)),
        }
    }

    /// A later step whose shard can't be read without this one's.
    async fn needed_by(&self, run: &RunName, step: Step) -> Result<Option<Step>, Error> {
        let prefix = self.0.layout.references(run, step);
        let listed: Result<Vec<Path>, _> =
            self.store().list(Some(&prefix)).map_ok(|meta| meta.location).try_collect().await;
        let listed = listed.map_err(|error| self.failed("list", &prefix, error))?;
        for (later, rank) in listed.iter().filter_map(|path| layout::referring(path.filename()?)) {
            let needs = match self.shard(run, later, rank).await {
                Ok(shard) => shard.packed.and_then(|packed| packed.base).is_some_and(|base| base.step == step),
                Err(Error::Missing { .. }) => false,
                // It may need it.
                Err(Error::Manifest { .. }) => true,
                Err(error) => return Err(error),
            };
            if needs {
                return Ok(Some(later));
            }
        }
        Ok(None)
    }
}
