//! Who reads which checkpoint now. Safe prune asks here, inside the change that would take the copy out of the count; a
//! reader registers first and looks at the record afterwards, in a change as well: changes come one after the other, so one
//! of the two always sees the other. (A look at what is synced is not enough: a prune may be decided and not synced yet.)

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tidegate_core::{RunName, Step};

type Name = (RunName, Step);

/// Counts readers by checkpoint. Clones share the count.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readers(Arc<Mutex<HashMap<Name, usize>>>);

/// While it lives, nothing deletes the checkpoint.
#[derive(Debug)]
pub(crate) struct Reading {
    readers: Readers,
    name: Name,
}

impl Readers {
    fn counts(&self) -> MutexGuard<'_, HashMap<Name, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn hold(&self, run: &RunName, step: Step) -> Reading {
        let name = (run.clone(), step);
        *self.counts().entry(name.clone()).or_default() += 1;
        Reading { readers: self.clone(), name }
    }

    pub(crate) fn is_read(&self, run: &RunName, step: Step) -> bool {
        self.counts().contains_key(&(run.clone(), step))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut counts = self.readers.counts();
        if let Some(count) = counts.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.name);
            }
        }
    }
}
