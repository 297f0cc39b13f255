use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tidegate_core::{BotName, Decision, Digest, Ledger, Seq};
use tidegate_sandbox::{LogLine, Plugin};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use super::{PluginInfo, bucket::Bucket, candidate::Candidate, evaluate::Handler, ground::Ground, record::Record};

/// Lines of log that are kept of each bot.
const LINES: usize = 64;
/// Decisions that are kept of each bot that does not carry out all of them.
const DECISIONS: usize = 256;
/// Compiled components that are kept.
const COMPILED: usize = 64;
/// As many as may run at once in the sandbox.
const TURNS: usize = 64;

/// What is known of a bot since it was put to work. It is lost with the host; what matters is in the index.
#[derive(Debug, Default)]
pub(super) struct Live {
    pub(super) cursor: Seq,
    /// As it is written.
    pub(super) ground: Arc<Ground>,
    pub(super) ledger: Ledger,
    /// Events that it has yet to handle well before it is settled, if it is not.
    pub(super) left: Option<u64>,
    pub(super) last_fault: Option<String>,
    pub(super) log: VecDeque<String>,
    pub(super) bucket: Bucket,
    /// What was recorded instead of carried out, the last of it.
    pub(super) decisions: VecDeque<Decision>,
}

impl Live {
    pub(super) fn keep(&mut self, lines: &[LogLine], dropped: u64) {
        let lines = lines.iter().map(|line| format!("{}: {}", line.level.name(), line.message));
        let note = (dropped > 0).then(|| format!("warn: {dropped} more lines were dropped"));
        for line in lines.chain(note) {
            push(&mut self.log, line, LINES);
        }
    }

    pub(super) fn record(&mut self, decisions: Vec<Decision>) {
        for decision in decisions {
            push(&mut self.decisions, decision, DECISIONS);
        }
    }
}

pub(super) fn push<T>(ring: &mut VecDeque<T>, item: T, most: usize) {
    if ring.len() >= most {
        ring.pop_front();
    }
    ring.push_back(item);
}

/// A bot that is at work, or stands still in quarantine.
#[derive(Debug)]
pub(super) struct Running {
    /// As it was when it was put to work: what changes with events stands in `live`.
    pub(super) record: Record,
    pub(super) handler: Handler,
    pub(super) live: Mutex<Live>,
    /// A version that is compared with this one.
    pub(super) candidate: Option<Candidate>,
    /// Ends its task: it was changed, removed, or is in quarantine.
    pub(super) stop: CancellationToken,
    /// Its task has ended: nothing more of this version is written.
    pub(super) ended: CancellationToken,
    /// A parked event is to be handed to it again.
    pub(super) replays: Notify,
}

impl Running {
    pub(super) fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bots at work, by name.
#[derive(Debug)]
pub(crate) struct Bots {
    running: Mutex<BTreeMap<BotName, Arc<Running>>>,
    /// Components as they were compiled, which takes a while: the last ones, by digest.
    compiled: Mutex<VecDeque<Plugin>>,
    /// What was read from stored components, by digest: it never changes.
    pub(super) described: Mutex<BTreeMap<Digest, PluginInfo>>,
    /// A time to wake a bot at was written.
    pub(super) wakes_changed: Notify,
    /// Bots that read the journal at once: an event that a thousand wait for must not start a thousand threads.
    pub(super) turns: Semaphore,
    /// Bots that could not be put to work, and why.
    stopped: Mutex<BTreeMap<BotName, String>>,
    /// Bots that the configuration names and that could not be installed, and why.
    not_installed: Mutex<BTreeMap<BotName, String>>,
    /// Held by the one trial that is under way.
    pub(super) trials: tokio::sync::Mutex<()>,
    /// Installing and removing go one after the other.
    pub(super) changing: tokio::sync::Mutex<()>,
    /// Bots whose records say something else than what is at work: each once.
    to_restart: Mutex<BTreeSet<BotName>>,
    /// One of these was added.
    pub(super) restarts_changed: Notify,
}

impl Default for Bots {
    fn default() -> Self {
        Self {
            running: Mutex::default(),
            compiled: Mutex::default(),
            described: Mutex::default(),
            wakes_changed: Notify::new(),
            turns: Semaphore::new(TURNS),
            stopped: Mutex::default(),
            not_installed: Mutex::default(),
            trials: tokio::sync::Mutex::new(()),
            changing: tokio::sync::Mutex::new(()),
            to_restart: Mutex::default(),
            restarts_changed: Notify::new(),
        }
    }
}

impl Bots {
    fn running(&self) -> MutexGuard<'_, BTreeMap<BotName, Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stopped(&self) -> MutexGuard<'_, BTreeMap<BotName, String>> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn not_installed(&self) -> MutexGuard<'_, BTreeMap<BotName, String>> {
        self.not_installed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a bot put to work again as its record says, soon.
    pub(super) fn restart(&self, name: BotName) {
        self.to_restart.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
        self.restarts_changed.notify_one();
    }

    /// The next bot that is to be put to work again.
    pub(super) fn next_restart(&self) -> Option<BotName> {
        self.to_restart.lock().unwrap_or_else(PoisonError::into_inner).pop_first()
    }

    /// A component that was compiled before.
    pub(super) fn compiled(&self, digest: Digest) -> Option<Plugin> {
        let compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        compiled.iter().find(|plugin| plugin.digest() == digest).cloned()
    }

    pub(super) fn keep_compiled(&self, plugin: Plugin) {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        compiled.retain(|other| other.digest() != plugin.digest());
        push(&mut compiled, plugin, COMPILED);
    }

    /// Drops what is known of a component that is about to be removed.
    pub(super) fn forget(&self, digest: Digest) {
        self.compiled.lock().unwrap_or_else(PoisonError::into_inner).retain(|plugin| plugin.digest() != digest);
        self.described.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest);
    }

    pub(super) fn get(&self, name: &BotName) -> Option<Arc<Running>> {
        self.running().get(name).cloned()
    }

    /// Puts a bot to work in the place of an older version, which is stopped.
    pub(super) fn replace(&self, bot: Arc<Running>) {
        if let Some(old) = self.running().insert(bot.record.name.clone(), bot) {
            old.stop.cancel();
        }
    }

    pub(super) fn remove(&self, name: &BotName) {
        if let Some(old) = self.running().remove(name) {
            old.stop.cancel();
        }
    }
}
