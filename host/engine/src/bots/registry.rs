use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tidegate_core::{BotName, Digest, Seq};
use tidegate_sandbox::{Level, LogLine, Plugin};
use tokio_util::sync::CancellationToken;

use super::{PluginInfo, record::Record};

/// Lines of log that are kept of each bot.
const LINES: usize = 64;

/// Compiled components that are kept.
const COMPILED: usize = 64;

/// What is known of a bot since it was put to work. It is lost with the host; what matters is in the index.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) cursor: Seq,
    /// Bytes of its state, keys and values, as they are written.
    pub(super) state_bytes: u64,
    pub(super) handled: u64,
    pub(super) effects: u64,
    pub(super) faults: u64,
    pub(super) last_fault: Option<String>,
    pub(super) log: VecDeque<String>,
}

impl Ledger {
    pub(super) fn keep(&mut self, lines: Vec<LogLine>, dropped: u64) {
        let lines = lines.into_iter().map(|line| format!("{}: {}", name_of(line.level), line.message));
        let note = (dropped > 0).then(|| format!("warn: {dropped} more lines were dropped"));
        for line in lines.chain(note) {
            if self.log.len() == LINES {
                self.log.pop_front();
            }
            self.log.push_back(line);
        }
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.log.iter().cloned().collect()
    }
}

fn name_of(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

/// A bot that is at work.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) record: Record,
    pub(super) plugin: Plugin,
    pub(super) ledger: Mutex<Ledger>,
    /// Ends its task: it was changed, removed, or is in quarantine.
    pub(super) stop: CancellationToken,
}

impl Running {
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bots at work, by name.
#[derive(Debug, Default)]
pub(crate) struct Bots {
    running: Mutex<BTreeMap<BotName, Arc<Running>>>,
    /// Components as they were compiled, which takes a while: the last ones, by digest.
    compiled: Mutex<VecDeque<Plugin>>,
    /// What was read from stored components, by digest: it never changes.
    pub(super) described: Mutex<BTreeMap<Digest, PluginInfo>>,
    /// A time to wake a bot at was written.
    pub(super) wakes_changed: tokio::sync::Notify,
    /// Installing and removing go one after the other.
    pub(super) changing: tokio::sync::Mutex<()>,
}

impl Bots {
    fn running(&self) -> MutexGuard<'_, BTreeMap<BotName, Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A component that was compiled before.
    pub(super) fn compiled(&self, digest: Digest) -> Option<Plugin> {
        let compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        compiled.iter().find(|plugin| plugin.digest() == digest).cloned()
    }

    pub(super) fn keep_compiled(&self, plugin: Plugin) {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        compiled.retain(|other| other.digest() != plugin.digest());
        compiled.push_back(plugin);
        if compiled.len() > COMPILED {
            compiled.pop_front();
        }
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
