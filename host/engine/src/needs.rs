//! Which checkpoints the copies of others in object storage can't be read without, as the index notes it: in the record of the base,
//! so that safe prune need not look at any other. The target has the last word, since other hosts ship there too.

use std::collections::BTreeSet;

use tidegate_core::{Checkpoint, Seq, Step};
use tidegate_store::{Result, Tx};

/// Notes in the records of its bases what a checkpoint needs now; `before` is what it needed until now.
pub(crate) fn note(tx: &mut Tx<'_>, checkpoint: &Checkpoint, before: &BTreeSet<Step>, at: Seq) -> Result<()> {
    let now = checkpoint.bases();
    for step in before.union(&now) {
        if let Some(mut base) = tx.checkpoint(&checkpoint.run, *step)?
            && base.note_need(checkpoint.step, now.contains(step), at)
        {
            tx.put_checkpoint(&base)?;
        }
    }
    Ok(())
}
