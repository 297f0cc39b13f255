use fjall::Keyspace;
use tidegate_core::{RunName, Step};

/// The parts of the index, each with keys of its own. The values are CBOR, but for `State`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Space {
    /// (run, 0, step) → checkpoint of which people are told; see [`checkpoint_key`]. An index of an older host may also
    /// have some here of which nothing is left.
    Checkpoints,
    /// Place in the journal (u64, big endian) → event.
    Events,
    /// Effect id → job.
    Jobs,
    /// Bot name → installed bot.
    Bots,
    /// What bots keep; the engine has the keys (`bots/state.rs`).
    State,
    /// Other small things by name.
    Meta,
    /// When bots are to be woken; the engine has the keys.
    Wakes,
    /// (bot name, 0, place in the journal) → event that the bot could not handle.
    Letters,
    /// (the key of a checkpoint, effect id) → nothing: the jobs that concern it.
    JobsOf,
    /// The key of a checkpoint → what it was, when nothing of it is left: for readers of the past alone.
    Past,
    /// (run, 0, the place of the journal at which its last bytes went, step) → the last place (u64, big endian) that its
    /// record in [`Space::Past`] names.
    PastEnds,
}

/// The handles of all spaces.
#[derive(Clone)]
pub(crate) struct Keyspaces([Keyspace; 11]);

impl std::fmt::Debug for Keyspaces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyspaces")
    }
}

impl Keyspaces {
    pub(crate) fn open<E>(mut open: impl FnMut(&'static str) -> Result<Keyspace, E>) -> Result<Self, E> {
        Ok(Self([
            open("checkpoints")?,
            open("events")?,
            open("jobs")?,
            open("bots")?,
            open("state")?,
            open("meta")?,
            open("wakes")?,
            open("letters")?,
            open("jobs_of")?,
            open("past")?,
            open("past_ends")?,
        ]))
    }

    pub(crate) fn of(&self, space: Space) -> &Keyspace {
        let [checkpoints, events, jobs, bots, state, meta, wakes, letters, jobs_of, past, past_ends] = &self.0;
        match space {
            Space::Checkpoints => checkpoints,
            Space::Events => events,
            Space::Jobs => jobs,
            Space::Bots => bots,
            Space::State => state,
            Space::Meta => meta,
            Space::Wakes => wakes,
            Space::Letters => letters,
            Space::JobsOf => jobs_of,
            Space::Past => past,
            Space::PastEnds => past_ends,
        }
    }
}

/// The first key of a run, and the first after its last one, in the spaces that begin with runs.
pub(super) fn run_keys(run: &RunName) -> (Vec<u8>, Vec<u8>) {
    let with = |last: u8| [run.as_str().as_bytes(), &[last]].concat();
    (with(0), with(1))
}

/// The key of a checkpoint: runs in the order of their names, steps in theirs. A name holds no zero byte.
pub fn checkpoint_key(run: &RunName, step: Step) -> Vec<u8> {
    let mut key = Vec::with_capacity(run.as_str().len() + 9);
    key.extend_from_slice(run.as_str().as_bytes());
    key.push(0);
    key.extend_from_slice(&step.get().to_be_bytes());
    key
}
