use std::{fmt, ops::Bound};

use fjall::{Readable, Snapshot};
use serde::de::DeserializeOwned;
use tidegate_core::{Checkpoint, Event, Rank, RunName, Seq, Step, Tier, cbor};

use super::{Keyspaces, Space, checkpoint_key, spaces::run_keys};
use crate::Result;

/// No record of the index is larger.
pub(crate) const RECORD_BYTES: usize = 256 << 20;

/// A consistent picture of the index. Cheap to make; holds old versions of records while it lives.
pub struct View {
    snapshot: Snapshot,
    spaces: Keyspaces,
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("seqno", &self.snapshot.seqno()).finish()
    }
}

impl View {
    pub(crate) fn new(snapshot: Snapshot, spaces: Keyspaces) -> Self {
        Self { snapshot, spaces }
    }

    /// The bytes of a key.
    ///
    /// # Errors
    /// An index that can't be read.
    pub fn bytes(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.snapshot.get(self.spaces.of(space), key)?.map(|value| value.to_vec()))
    }

    /// The record of a key.
    ///
    /// # Errors
    /// An index that can't be read, or a damaged record.
    pub fn get<T: DeserializeOwned>(&self, space: Space, key: &[u8]) -> Result<Option<T>> {
        let value = self.snapshot.get(self.spaces.of(space), key)?;
        Ok(value.map(|value| cbor::decode(&value, RECORD_BYTES)).transpose()?)
    }

    /// Calls `each` with keys and values in order, while it answers true.
    ///
    /// # Errors
    /// An index that can't be read, or what `each` fails with.
    pub fn scan(
        &self,
        space: Space,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        backwards: bool,
        mut each: impl FnMut(&[u8], &[u8]) -> Result<bool>,
    ) -> Result<()> {
        let mut items = self.snapshot.range::<&[u8], _>(self.spaces.of(space), range);
        loop {
            let Some(item) = (if backwards { items.next_back() } else { items.next() }) else { return Ok(()) };
            let (key, value) = item.into_inner()?;
            if !each(&key, &value)? {
                return Ok(());
            }
        }
    }

    /// Calls `each` with all records of a space in the order of their keys.
    ///
    /// # Errors
    /// An index that can't be read, or a damaged record.
    pub fn each<T: DeserializeOwned>(&self, space: Space, mut each: impl FnMut(T)) -> Result<()> {
        self.scan(space, (Bound::Unbounded, Bound::Unbounded), false, |_, value| {
            each(cbor::decode(value, RECORD_BYTES)?);
            Ok(true)
        })
    }

    /// All records of a space in the order of their keys, at most `limit`.
    ///
    /// # Errors
    /// An index that can't be read, or a damaged record.
    pub fn all<T: DeserializeOwned>(&self, space: Space, limit: usize) -> Result<Vec<T>> {
        let mut records = Vec::new();
        self.scan(space, (Bound::Unbounded, Bound::Unbounded), false, |_, value| {
            records.push(cbor::decode(value, RECORD_BYTES)?);
            Ok(records.len() < limit)
        })?;
        Ok(records)
    }

    /// The last place in the journal; 0 if it is empty.
    ///
    /// # Errors
    /// An index that can't be read.
    pub fn head(&self) -> Result<Seq> {
        let Some(last) = self.snapshot.last_key_value(self.spaces.of(Space::Events)) else { return Ok(0) };
        let key = last.key()?;
        Ok(key.as_ref().try_into().map_or(0, u64::from_be_bytes))
    }

    /// Events after a place, in order, at most `limit`.
    ///
    /// # Errors
    /// An index that can't be read, or a damaged record.
    pub fn events(&self, after: Seq, limit: usize) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        let from = after.to_be_bytes();
        self.scan(Space::Events, (Bound::Excluded(&from), Bound::Unbounded), false, |_, value| {
            events.push(cbor::decode(value, RECORD_BYTES)?);
            Ok(events.len() < limit)
        })?;
        Ok(events)
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

    /// Whether NVMe holds this rank's shard, as far as the index knows.
    pub(crate) fn holds(&self, run: &RunName, step: Step, rank: Rank) -> Result<bool> {
        let known = self.checkpoint(run, step)?;
        Ok(known.is_some_and(|known| known.shards.get(&rank).is_some_and(|shard| shard.copy(Tier::Nvme).is_some())))
    }

    /// Calls `each` with a run's checkpoints below `before`, newest first, while it answers true. Those of the past are not
    /// read, however many there are: see [`View::checkpoints_since`].
    ///
    /// # Errors
    /// An index that can't be read, or a damaged record.
    pub fn checkpoints(
        &self,
        run: &RunName,
        before: Option<Step>,
        mut each: impl FnMut(Checkpoint) -> bool,
    ) -> Result<()> {
        self.records(run, before, |checkpoint| Ok(each(checkpoint)))
    }

    /// The same, of an `each` that may fail.
    pub(super) fn records(
        &self,
        run: &RunName,
        before: Option<Step>,
        mut each: impl FnMut(Checkpoint) -> Result<bool>,
    ) -> Result<()> {
        let (low, end) = run_keys(run);
        let high = before.map_or(end, |step| checkpoint_key(run, step));
        self.scan(Space::Checkpoints, (Bound::Included(&low), Bound::Excluded(&high)), true, |_, value| {
            each(cbor::decode(value, RECORD_BYTES)?)
        })
    }

    /// Names of runs after a name, in order, at most `limit`: one seek a run, however many checkpoints it has. Of which only
    /// the past knows, see [`View::runs_ever`].
    ///
    /// # Errors
    /// An index that can't be read.
    pub fn runs(&self, after: Option<&RunName>, limit: usize) -> Result<Vec<RunName>> {
        self.runs_of(Space::Checkpoints, after, limit)
    }

    /// Names of runs in a space whose keys begin with them.
    pub(super) fn runs_of(&self, space: Space, after: Option<&RunName>, limit: usize) -> Result<Vec<RunName>> {
        let mut runs: Vec<RunName> = Vec::new();
        let mut from = after.map(|run| [run.as_str().as_bytes(), &[1]].concat()).unwrap_or_default();
        while runs.len() < limit {
            let mut found = None;
            self.scan(space, (Bound::Included(&from), Bound::Unbounded), false, |key, _| {
                let name = key.split(|byte| *byte == 0).next().unwrap_or_default();
                found = std::str::from_utf8(name).ok().and_then(|name| name.parse::<RunName>().ok());
                Ok(false)
            })?;
            let Some(run) = found else { break };
            from = [run.as_str().as_bytes(), &[1]].concat();
            runs.push(run);
        }
        Ok(runs)
    }

    /// The newest checkpoint of a run that is as asked.
    ///
    /// # Errors
    /// An index that can't be read, or a damaged record.
    pub fn newest(&self, run: &RunName, is: impl Fn(&Checkpoint) -> bool) -> Result<Option<Checkpoint>> {
        let mut newest = None;
        self.checkpoints(run, None, |checkpoint| {
            newest = Some(checkpoint).filter(&is);
            newest.is_none()
        })?;
        Ok(newest)
    }
}
