use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use tidegate_core::{SaveId, Timestamp};

use super::{Begin, Committed, Save, Watched, Writer};
use crate::{Error, Result};

/// Commits that are remembered, so that one which is asked again gets its answer again.
const REMEMBERED: usize = 4096;

/// One save's place in the book. Its lock is held while it is committed or aborted: a second caller waits and sees how
/// that ended.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) save: Save,
    pub(crate) begin: Begin,
    pub(crate) bytes: u64,
    pub(crate) watched: Option<Watched>,
    pub(crate) ended: bool,
}

/// What can be told of a save without waiting for who is at it.
#[derive(Debug)]
struct Open {
    slot: Arc<Mutex<Slot>>,
    /// Its `expires` is the one that counts.
    save: Save,
    writer: Option<Writer>,
}

#[derive(Debug, Default)]
struct Pages {
    open: HashMap<SaveId, Open>,
    committed: HashMap<SaveId, Committed>,
    order: VecDeque<SaveId>,
}

/// The saves in progress and the last commits.
#[derive(Debug)]
pub(crate) struct Book {
    pages: Mutex<Pages>,
    most: usize,
}

impl Book {
    pub(crate) fn new(most: usize) -> Self {
        Self { pages: Mutex::default(), most }
    }

    fn pages(&self) -> std::sync::MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, slot: Slot) -> Result<()> {
        let mut pages = self.pages();
        if pages.open.len() >= self.most {
            return Err(Error::TooManySaves(self.most));
        }
        let (save, writer) = (slot.save.clone(), slot.begin.writer);
        pages.open.insert(save.id.clone(), Open { slot: Arc::new(Mutex::new(slot)), save, writer });
        Ok(())
    }

    pub(crate) fn get(&self, id: &SaveId) -> Option<Arc<Mutex<Slot>>> {
        self.pages().open.get(id).map(|open| open.slot.clone())
    }

    /// Who writes a save in progress: none if it is not known, none within if nobody is named.
    pub(crate) fn writer(&self, id: &SaveId) -> Option<Option<Writer>> {
        self.pages().open.get(id).map(|open| open.writer)
    }

    pub(crate) fn committed(&self, id: &SaveId) -> Option<Committed> {
        self.pages().committed.get(id).cloned()
    }

    /// Moves a save's deadline; none if it is not known.
    pub(crate) fn touch(&self, id: &SaveId, expires: Timestamp) -> Option<Save> {
        let mut pages = self.pages();
        let open = pages.open.get_mut(id)?;
        open.save.expires = expires;
        Some(open.save.clone())
    }

    /// Strikes a save out, with its answer if it was committed.
    pub(crate) fn end(&self, id: &SaveId, committed: Option<Committed>) {
        let mut pages = self.pages();
        pages.open.remove(id);
        if let Some(committed) = committed {
            pages.committed.insert(id.clone(), committed);
            pages.order.push_back(id.clone());
            if pages.order.len() > REMEMBERED
                && let Some(oldest) = pages.order.pop_front()
            {
                pages.committed.remove(&oldest);
            }
        }
    }

    pub(crate) fn open(&self) -> Vec<(Arc<Mutex<Slot>>, Timestamp)> {
        self.pages().open.values().map(|open| (open.slot.clone(), open.save.expires)).collect()
    }

    /// The saves in progress, by id.
    pub(crate) fn saves(&self) -> Vec<Save> {
        let mut saves: Vec<Save> = self.pages().open.values().map(|open| open.save.clone()).collect();
        saves.sort_by(|a, b| a.id.cmp(&b.id));
        saves
    }

    pub(crate) fn len(&self) -> usize {
        self.pages().open.len()
    }
}
