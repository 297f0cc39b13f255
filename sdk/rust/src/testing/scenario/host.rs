//! A host of a scenario: its catalogue, its bots and their cursors, its jobs.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
};

use super::{Seat, jobs::Job};
use crate::{
    Event, Occurrence, Refusal, Tier,
    jitter::mixed,
    log::Level,
    replication::JobState,
    testing::{
        Effect,
        guard::Guard,
        world::{World, arrive, with},
    },
};

/// The beginning of a scenario as its events have it: 2026-01-01, UTC.
pub(super) const EPOCH: u64 = 1_767_225_600_000_000_000;

/// A host and the one run that it trains.
pub(super) struct Host {
    pub(super) name: String,
    pub(super) run: String,
    pub(super) world: World,
    pub(super) cursors: Vec<Cursor>,
    pub(super) jobs: BTreeMap<u64, Job>,
    pub(super) saves: u64,
    seq: u64,
}

/// Where a bot stands on a host, and what it keeps.
#[derive(Default)]
pub(super) struct Cursor {
    pub(super) inbox: VecDeque<Event>,
    state: BTreeMap<String, Vec<u8>>,
    /// A key stands here until the bot has come to the event of its wake.
    pub(super) wakes: BTreeMap<String, u64>,
    /// Those of them that have become an event.
    pub(super) fired: BTreeMap<String, u64>,
    pub(super) failures: u32,
    /// How far its effects are, by their ids.
    pub(super) jobs: BTreeMap<String, JobState>,
    pub(super) metrics: BTreeMap<String, f64>,
    /// It waits before it tries an event again.
    pub(super) waits: bool,
    pub(super) stopped: bool,
    /// It is woken at most once a second.
    pub(super) woken: Option<u64>,
}

/// What one handler did.
pub(super) struct Handled {
    pub(super) result: Result<(), String>,
    /// With their ids; none if it failed.
    pub(super) effects: Vec<(String, Effect)>,
    pub(super) refused: Vec<(Effect, Refusal)>,
    pub(super) lines: Vec<(Level, String)>,
    /// Times to be woken at that are new or have moved.
    pub(super) wakes: Vec<(String, u64)>,
}

impl Host {
    pub(super) fn new(nth: u32, bots: usize, seed: u64) -> Self {
        let name = format!("host-{nth}");
        let salt = mixed(seed ^ mixed(u64::from(nth) + 1));
        let world = World { host: name.clone(), guard: Some(Guard::default()), salt, ..World::default() };
        let cursors = (0..bots).map(|_| Cursor::default()).collect();
        Self { name, run: format!("run-{nth}"), world, cursors, jobs: BTreeMap::new(), saves: 0, seq: 0 }
    }

    /// Writes a fact down: it waits for every bot, or for the one that it is about.
    pub(super) fn journal(&mut self, now: u64, what: &Occurrence, only: Option<usize>) {
        self.seq += 1;
        let event = Event { seq: self.seq, time: EPOCH + now, host: self.name.clone(), what: what.clone() };
        for (nth, cursor) in self.cursors.iter_mut().enumerate() {
            if only.is_none_or(|only| only == nth) && !cursor.stopped {
                cursor.inbox.push_back(event.clone());
            }
        }
    }

    /// Lets a bot handle the event that it stands at, as one transaction; none if there is nothing for it to do.
    pub(super) fn handle(&mut self, nth: usize, bot: &Seat) -> Option<(u64, Handled)> {
        let cursor = self.cursors.get_mut(nth).filter(|it| !it.stopped && !it.waits)?;
        let event = cursor.inbox.front()?.clone();
        if let Occurrence::Woken(wake) = &event.what
            && cursor.fired.get(&wake.key) == Some(&wake.due)
        {
            cursor.fired.remove(&wake.key);
        }
        arrive(&mut cursor.wakes, &event.what);
        let before = (cursor.state.clone(), cursor.wakes.clone(), cursor.jobs.clone(), cursor.metrics.clone());
        self.world.now = event.time;
        self.world.seq = event.seq;
        self.world.begin();
        self.world.bot = nth as u64;
        mem::swap(&mut self.world.state, &mut cursor.state);
        mem::swap(&mut self.world.wakes, &mut cursor.wakes);
        mem::swap(&mut self.world.jobs, &mut cursor.jobs);
        mem::swap(&mut self.world.metrics, &mut cursor.metrics);
        self.world.doing = self.jobs.values().map(|job| (job.id.clone(), job.effect.clone())).collect();
        with(|world| mem::swap(world, &mut self.world));
        let result = (bot.handle)(&event, &bot.settings);
        with(|world| mem::swap(world, &mut self.world));
        mem::swap(&mut self.world.state, &mut cursor.state);
        mem::swap(&mut self.world.wakes, &mut cursor.wakes);
        mem::swap(&mut self.world.jobs, &mut cursor.jobs);
        mem::swap(&mut self.world.metrics, &mut cursor.metrics);
        let asked = mem::take(&mut self.world.effects);
        let (refused, lines) = (mem::take(&mut self.world.refused), mem::take(&mut self.world.lines));
        let (mut effects, mut wakes) = (Vec::new(), Vec::new());
        if result.is_ok() {
            cursor.inbox.pop_front();
            cursor.failures = 0;
            effects.extend(asked.into_iter().enumerate().map(|(nth, effect)| (self.world.id(nth + 1), effect)));
            let moved = cursor.wakes.iter().filter(|(key, time)| before.1.get(*key) != Some(*time));
            wakes.extend(moved.map(|(key, time)| (key.clone(), *time)));
        } else {
            cursor.failures += 1;
            (cursor.state, cursor.wakes, cursor.jobs, cursor.metrics) = before;
        }
        Some((event.seq, Handled { result, effects, refused, lines, wakes }))
    }

    /// Bytes on its NVMe.
    pub(super) fn used(&self) -> u64 {
        let held = self.world.checkpoints.values().filter(|it| it.is_present(Tier::Nvme));
        held.map(|it| it.bytes).sum()
    }

    /// When the newest work was saved that the object tier has, nanoseconds from the beginning.
    pub(super) fn recovery_point(&self) -> u64 {
        let safe = self.world.checkpoints.values().filter(|it| it.complete && it.is_verified(Tier::Object));
        safe.map(|it| it.created).max().unwrap_or(EPOCH).saturating_sub(EPOCH)
    }

    /// Bytes of complete checkpoints that are nowhere but here.
    pub(super) fn at_risk(&self) -> u64 {
        let only_here = self.world.checkpoints.values().filter(|it| it.complete && !it.is_verified(Tier::Object));
        only_here.map(|it| it.bytes).sum()
    }
}
