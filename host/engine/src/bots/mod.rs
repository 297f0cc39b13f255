//! Bots: each goes along the journal from its own cursor, in a task of its own, and asks for effects.

mod bucket;
mod calls;
mod candidate;
mod check;
mod delta;
mod dispatch;
mod evaluate;
mod figures;
mod ground;
mod group;
mod install;
mod kept;
mod letters;
mod park;
mod plugins;
mod record;
mod registry;
mod removal;
mod state;
mod swap;
mod trial;
mod versions;
mod wakes;

use std::collections::BTreeMap;

use serde_json::Value;
use tidegate_core::{BotName, Digest, Grants, Ledger, Mode, PluginManifest, Seq, Triggers};

pub use candidate::{Comparison, Difference};
pub use figures::BotFigures;
pub(crate) use install::slowest_cursor;
pub use install::{Change, PROBATION};
pub use letters::Letter;
pub(crate) use plugins::sweep;
pub(crate) use registry::Bots;
pub(crate) use swap::restart;
pub use trial::Trial;
pub use versions::Promotion;
pub(crate) use wakes::run as wake;

/// What an operator wants of a bot.
#[derive(Debug, Clone, PartialEq)]
pub struct BotSpec {
    /// The digest of an uploaded component.
    pub plugin: Digest,
    /// Its settings.
    pub settings: Value,
    /// What it may do.
    pub grants: Grants,
    /// What wakes it.
    pub triggers: Triggers,
    /// How far its decisions are carried out.
    pub mode: Mode,
}

/// An installed bot.
#[derive(Debug, Clone, PartialEq)]
pub struct BotInfo {
    /// Its name.
    pub name: BotName,
    /// What it is.
    pub spec: BotSpec,
    /// Why it stands still, if it does.
    pub quarantined: Option<String>,
    /// Why it could not be put to work, if so; it is tried again when its component is uploaded, or it is resumed.
    pub stopped: Option<String>,
    /// The event that it stands before in quarantine, and which is parked.
    pub parked: Option<Seq>,
    /// The component that is put back if this one fails, and events that this one has yet to handle well until it is settled.
    pub previous: Option<(Digest, u64)>,
    /// The last version that failed in its first events, or that an operator took back, and on which event and why; none
    /// once the same is installed again.
    pub rolled_back: Option<(BotSpec, String)>,
    /// A version that runs beside it, and how the two compare.
    pub candidate: Option<(BotSpec, Comparison)>,
    /// Its own numbers.
    pub metrics: BTreeMap<String, f64>,
    /// Bytes of its state, keys and values.
    pub state_bytes: u64,
    /// The last event that it has dealt with.
    pub cursor: Seq,
    /// Events that wait for it.
    pub lag: u64,
    /// What it has used and asked for since it was put to work.
    pub ledger: Ledger,
    /// The last fault.
    pub last_fault: Option<String>,
    /// Its last lines of log.
    pub log: Vec<String>,
}

/// Whether a bot is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    Running,
    /// It failed too often on an event, which waits for an operator.
    Quarantined,
    /// It could not be put to work.
    Stopped,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Running, Self::Quarantined, Self::Stopped];

    fn of(quarantined: bool, stopped: bool) -> Self {
        match (quarantined, stopped) {
            (true, _) => Self::Quarantined,
            (false, true) => Self::Stopped,
            (false, false) => Self::Running,
        }
    }

    /// Its word in REST and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Quarantined => "quarantined",
            Self::Stopped => "stopped",
        }
    }
}

impl BotInfo {
    /// Whether it is at work.
    pub fn standing(&self) -> Standing {
        Standing::of(self.quarantined.is_some(), self.stopped.is_some())
    }
}

/// An uploaded component.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginInfo {
    /// BLAKE3 of its bytes.
    pub digest: Digest,
    /// How many.
    pub bytes: u64,
    /// What it says of itself, if it says anything.
    pub manifest: Option<PluginManifest>,
}
