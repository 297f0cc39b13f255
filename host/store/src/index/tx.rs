use std::collections::BTreeMap;

use fjall::OwnedWriteBatch as WriteBatch;
use serde::{Serialize, de::DeserializeOwned};
use tidegate_core::{Checkpoint, Event, EventKind, HostName, RunName, Seq, Step, Timestamp, cbor};

use super::{Keyspaces, Space, checkpoint_key, spaces::run_keys, view::RECORD_BYTES};
use crate::Result;

/// What a group of changes has written so far.
pub(super) type Writes = BTreeMap<(Space, Vec<u8>), Option<Vec<u8>>>;

/// One change to the index. It sees what earlier changes of its group wrote, and its own writes.
#[derive(Debug)]
pub struct Tx<'a> {
    pub(super) spaces: &'a Keyspaces,
    pub(super) group: &'a Writes,
    pub(super) own: Writes,
    pub(super) host: &'a HostName,
    pub(super) now: Timestamp,
    pub(super) next: Seq,
}

impl Tx<'_> {
    /// The time of this change.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The place that the next event will get.
    pub fn next_seq(&self) -> Seq {
        self.next
    }

    /// Leaves places of the journal free: the next event gets this one, if the journal has not come so far.
    pub(crate) fn skip_to(&mut self, seq: Seq) {
        self.next = self.next.max(seq);
    }

    /// The bytes of a key.
    ///
    /// # Errors
    /// An index that can't be read.
    pub fn bytes(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let at = (space, key.to_vec());
        if let Some(written) = self.own.get(&at).or_else(|| self.group.get(&at)) {
            return Ok(written.clone());
        }
        Ok(self.spaces.of(space).get(key)?.map(|value| value.to_vec()))
    }

    /// The record of a key.
    ///
    /// # Errors
    /// An index that can't be read, or a damaged record.
    pub fn get<T: DeserializeOwned>(&self, space: Space, key: &[u8]) -> Result<Option<T>> {
        Ok(self.bytes(space, key)?.map(|value| cbor::decode(&value, RECORD_BYTES)).transpose()?)
    }

    /// Writes a record.
    ///
    /// # Errors
    /// None in practice: a value that has no CBOR form.
    pub fn put<T: Serialize>(&mut self, space: Space, key: &[u8], record: &T) -> Result<()> {
        self.put_bytes(space, key, Some(cbor::encode(record)?));
        Ok(())
    }

    /// Writes bytes, or removes the key.
    pub fn put_bytes(&mut self, space: Space, key: &[u8], value: Option<Vec<u8>>) {
        self.own.insert((space, key.to_vec()), value);
    }

    /// How many keys of a space are stored, counted up to `most`. What this group has written does not count yet.
    ///
    /// # Errors
    /// An index that can't be read.
    pub fn count(&self, space: Space, most: usize) -> Result<usize> {
        let mut count = 0;
        for item in self.spaces.of(space).iter().take(most) {
            item.key()?;
            count += 1;
        }
        Ok(count)
    }

    /// Writes a fact into the journal and returns its place.
    ///
    /// # Errors
    /// None in practice: an event that has no CBOR form.
    pub fn append(&mut self, kind: EventKind) -> Result<Seq> {
        let seq = self.next;
        self.next += 1;
        let event = Event { seq, time: self.now, host: self.host.clone(), kind };
        self.put(Space::Events, &seq.to_be_bytes(), &event)?;
        Ok(seq)
    }

    /// One checkpoint, also one whose bytes are all gone.
    ///
    /// # Errors
    /// An index that can't be read, or a damaged record.
    pub fn checkpoint(&self, run: &RunName, step: Step) -> Result<Option<Checkpoint>> {
        let key = checkpoint_key(run, step);
        match self.get(Space::Checkpoints, &key)? {
            Some(known) => Ok(Some(known)),
            None => self.get(Space::Past, &key),
        }
    }

    /// The newest checkpoint of a run that is as asked, with what this group has written. The past is not asked.
    ///
    /// # Errors
    /// An index that can't be read, or a damaged record.
    pub fn newest(&self, run: &RunName, is: impl Fn(&Checkpoint) -> bool) -> Result<Option<Step>> {
        let (low, high) = run_keys(run);
        let written = |writes: &Writes, newer: &Writes| -> Result<Option<Step>> {
            let mut newest = None;
            for (at, value) in writes.range((Space::Checkpoints, low.clone())..(Space::Checkpoints, high.clone())) {
                let Some(value) = value.as_ref().filter(|_| !newer.contains_key(at)) else { continue };
                let checkpoint: Checkpoint = cbor::decode(value, RECORD_BYTES)?;
                newest = newest.max(is(&checkpoint).then_some(checkpoint.step));
            }
            Ok(newest)
        };
        let newest = written(self.group, &self.own)?.max(written(&self.own, &Writes::new())?);
        for item in self.spaces.of(Space::Checkpoints).range(low.clone()..high.clone()).rev() {
            let (key, value) = item.into_inner()?;
            let at = (Space::Checkpoints, key.to_vec());
            if self.own.contains_key(&at) || self.group.contains_key(&at) {
                continue;
            }
            let stored: Checkpoint = cbor::decode(&value, RECORD_BYTES)?;
            if is(&stored) || newest.is_some_and(|newest| newest >= stored.step) {
                return Ok(newest.max(is(&stored).then_some(stored.step)));
            }
        }
        Ok(newest)
    }
}

/// Puts what was written into a batch of the database.
pub(super) fn into_batch(writes: Writes, spaces: &Keyspaces, batch: &mut WriteBatch) {
    for ((space, key), value) in writes {
        match value {
            Some(value) => batch.insert(spaces.of(space), key, value),
            None => batch.remove(spaces.of(space), key),
        }
    }
}
