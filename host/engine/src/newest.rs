use tidegate_core::{Checkpoint, RunName, Seq, Step, guard};
use tidegate_store::{Tx, View};

use crate::Host;

/// A run's newest checkpoints, which the guard protects.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Newest {
    complete: Option<Step>,
    verified: Option<Step>,
}

impl Newest {
    /// As they are written.
    pub(crate) fn in_view(view: &View, run: &RunName) -> tidegate_store::Result<Self> {
        let complete = view.newest(run, Checkpoint::restorable)?.map(|it| it.step);
        Ok(Self { complete, verified: view.newest(run, Checkpoint::safe)?.map(|it| it.step) })
    }

    /// As they were at a place in the journal.
    pub(crate) fn as_of(view: &View, run: &RunName, place: Seq) -> tidegate_store::Result<Self> {
        let then = |is: fn(&Checkpoint) -> bool| {
            let mut newest = None;
            view.checkpoints_since(run, None, place, |checkpoint| {
                newest = checkpoint.as_of(place).filter(is).map(|then| then.step);
                newest.is_none()
            })
            .map(|()| newest)
        };
        Ok(Self { complete: then(Checkpoint::restorable)?, verified: then(Checkpoint::safe)? })
    }

    /// As they will be with the changes of the same group.
    pub(crate) fn in_change(tx: &Tx<'_>, run: &RunName) -> tidegate_store::Result<Self> {
        let complete = tx.newest(run, Checkpoint::restorable)?;
        Ok(Self { complete, verified: tx.newest(run, Checkpoint::safe)? })
    }
}

impl Host {
    /// What the guard must know beside a checkpoint.
    pub(crate) fn around(&self, run: &RunName, step: Step, newest: Newest) -> guard::Surroundings {
        guard::Surroundings {
            newest_complete: newest.complete,
            newest_verified: newest.verified,
            wanted_copies: self.0.options.wanted_copies,
            being_read: self.0.readers.is_read(run, step),
        }
    }
}
