use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// An uploaded component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Plugin {
    /// BLAKE3 of the component, 64 hexadecimal digits.
    pub digest: String,
    /// Bytes of the component.
    pub bytes: u64,
    /// What it says of itself, as it stands in it: name, version, what it wants, how much of it and what for, a schema of its settings.
    pub manifest: Option<Value>,
}

/// Installs or changes a bot: `PUT /v1/bots/{name}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BotSpec {
    /// The digest of an uploaded component.
    pub plugin: String,
    /// The bot's settings; what is valid the component's `configure` decides.
    #[serde(default)]
    pub settings: Value,
    /// What it may do; nothing by default. An object: `read`, `replicate`, `prune`, `pin` are lists of run patterns, at most
    /// 64 each; `targets` names targets that the host has, `tiers` tiers; `wasi` and the quotas are those of `host/core`'s
    /// `Grants`. A pattern is 1 to 128 of `A-Z a-z 0-9 . _ -`, `*` (any characters) and `?` (one character).
    #[serde(default)]
    pub grants: Value,
    /// What wakes it: `events` is a list of event kinds, `runs` of run patterns.
    #[serde(default)]
    pub triggers: Value,
    /// How far its decisions are carried out: `"enforce"` (the default), `"shadow"` (they are only recorded), or
    /// `{"canary":{"percent":10}}` (carried out for that share of runs, chosen by their names).
    #[serde(default)]
    pub mode: Value,
    /// Let this version run beside the one that is installed, without effects, so that the two can be compared; it takes
    /// over when it is promoted.
    #[serde(default)]
    pub beside: bool,
    /// Events that a new version must handle well before it is settled: if it fails on one of them, the version before it
    /// is put back. 0 to 1,000,000; 0 means never. Default = 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probation: Option<u64>,
}

/// How many, and of how many bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Amount {
    /// How many.
    pub count: u64,
    /// Bytes of the checkpoints concerned.
    pub bytes: u64,
}

/// What a bot has used and asked for since it was put to work.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Ledger {
    /// Instructions, about.
    pub fuel: u64,
    /// Time in handlers, host calls included.
    pub wall_seconds: f64,
    /// The most bytes of memory in one event.
    pub memory_peak_bytes: u64,
    /// Host calls, those of WASI too, log lines apart.
    pub host_calls: u64,
    /// Bytes handed over in them.
    pub host_call_bytes: u64,
    /// Log lines that were kept.
    pub log_lines: u64,
    /// Log lines beyond the bot's rate.
    pub log_lines_dropped: u64,
    /// Effects that are carried out, by their kind: `replicate`, `prune`, `pin`, `unpin`.
    pub effects: BTreeMap<String, Amount>,
    /// Effects that were only recorded.
    pub shadowed: u64,
    /// Effects that were refused, by the class of the refusal, such as `denied`.
    pub refused: BTreeMap<String, u64>,
}

/// A version that is put back if the one at work fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Previous {
    /// Its component.
    pub plugin: String,
    /// Events that the version at work has yet to handle well until it is settled.
    pub events_left: u64,
}

/// A version in whose place the one before it was put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RolledBack {
    /// Its component.
    pub plugin: String,
    /// Its settings.
    pub settings: Value,
    /// On which event, and why.
    pub why: String,
}

/// A version that runs beside the one at work, and how the two compare.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Candidate {
    /// Its component.
    pub plugin: String,
    /// Its settings.
    pub settings: Value,
    /// What it may do.
    pub grants: Value,
    /// What wakes it.
    pub triggers: Value,
    /// Events on which both decided the same since the comparison began, or the host was started.
    pub same: u64,
    /// Events on which they did not.
    pub different: u64,
    /// Events on which it failed; they count neither as the same nor as different.
    pub failed: u64,
    /// The last of its failures, and on which event.
    pub last_failure: Option<String>,
    /// The last differences and failures, at most 64.
    pub differences: Vec<Difference>,
    /// Why it is not tried any more, if so.
    pub stopped: Option<String>,
    /// What it has used.
    pub ledger: Ledger,
}

/// An event on which two versions decided otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// The version at work.
    pub now: Decision,
    /// The other one.
    pub candidate: Decision,
}

/// What a bot decided about one event, or would have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    /// The event's place in the journal.
    pub event: u64,
    /// Its time, RFC 3339.
    pub time: String,
    /// Its kind, such as `checkpoint-complete`.
    pub kind: String,
    /// What was asked for, in order.
    pub asked: Vec<Asked>,
    /// Effects of its own that it called off, in order.
    pub cancels: Vec<CalledOff>,
    /// Keys under which it asked to be woken.
    pub wakes: Vec<Wake>,
    /// Why the handler failed, if it did: then nothing of this counts.
    pub fault: Option<String>,
    /// Its log lines.
    pub log: Vec<String>,
}

/// An effect that was asked for, and the host's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Asked {
    /// What is asked: `verb`, `run`, `step`, `reason`, and what belongs to the verb, such as `target` or `tier`.
    pub effect: Value,
    /// Whether it was accepted.
    pub accepted: bool,
    /// The effect's id, or why it was refused.
    pub answer: String,
}

/// An effect that was called off, and the host's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CalledOff {
    /// The effect's id.
    pub effect: String,
    /// Why it was called off.
    pub reason: String,
    /// Why that was refused, if it was.
    pub refused: Option<String>,
}

/// A time to be woken at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Wake {
    /// The key.
    pub key: String,
    /// When, RFC 3339; none where it was taken back.
    pub at: Option<String>,
}

/// An event that a bot could not handle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Letter {
    /// The event.
    pub event: crate::Event,
    /// What the handler said or did, the last time.
    pub fault: String,
    /// The component that failed.
    pub plugin: String,
    /// The settings that it failed with.
    pub settings: Value,
    /// When it was parked, RFC 3339.
    pub parked_at: String,
    /// Whether it waits to be handed to the bot again.
    pub replay: bool,
}

/// A parked event that was asked to be handed to its bot again: `POST …/replay`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Replay {
    /// The parked event.
    #[serde(flatten)]
    pub letter: Letter,
    /// How the bot stands: one that is `running` is handed the event soon, one that is `quarantined` or `stopped` once it is
    /// resumed.
    pub bot_state: String,
}

/// Asks what a bot would have decided: `POST /v1/trials`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrialRequest {
    /// The name that it would have: chance and canary shares depend on it. Default = `trial`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The digest of an uploaded component.
    pub plugin: String,
    /// Its settings.
    #[serde(default)]
    pub settings: Value,
    /// What it may do.
    #[serde(default)]
    pub grants: Value,
    /// What wakes it.
    #[serde(default)]
    pub triggers: Value,
    /// Begin after this place in the journal. Default = 0.
    #[serde(default)]
    pub after: u64,
    /// Decisions at most: 1 to 1000. Default = 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// What a bot would have decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Trial {
    /// On the events on which it would have done anything, in their order.
    pub decisions: Vec<Decision>,
    /// Events that would have woken it.
    pub handled: u64,
    /// The last event that was looked at: give it as `after` for those that follow.
    pub through: u64,
    /// Whether there are no more.
    pub end: bool,
}

/// How a promotion goes: `POST /v1/bots/{name}/promote`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Promote {
    /// As in `BotSpec`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probation: Option<u64>,
    /// Promote the version although it has failed. Default = false: `TG0038`.
    #[serde(default)]
    pub force: bool,
}

/// A bot whose version beside it has taken over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Promoted {
    /// The bot, as it is now.
    #[serde(flatten)]
    pub bot: Bot,
    /// What should be known of the version that is at work now, in words: that it had failed, was never given an event, or
    /// lost something that it wants and the version before it was granted.
    pub warnings: Vec<String>,
}

/// An installed bot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Bot {
    /// Its name.
    pub name: String,
    /// The component it runs.
    pub plugin: String,
    /// Its settings.
    pub settings: Value,
    /// What it may do.
    pub grants: Value,
    /// What wakes it.
    pub triggers: Value,
    /// How far its decisions are carried out: `"enforce"`, `"shadow"` or `{"canary":{"percent":10}}`.
    pub mode: Value,
    /// `running`, `quarantined`, or `stopped` if it could not be put to work: `last_fault` says why.
    pub state: String,
    /// The event that it stands before in quarantine; `skip` goes past it.
    pub parked: Option<u64>,
    /// What is put back if this version fails on one of its first events.
    pub previous: Option<Previous>,
    /// The last version that was put back from. The host does not install it again by itself when it starts, although its
    /// configuration may name it; another one it does, and whoever installs the same wants it tried again.
    pub rolled_back: Option<RolledBack>,
    /// A version that runs beside it.
    pub candidate: Option<Candidate>,
    /// Its own numbers, as it reports them.
    pub metrics: BTreeMap<String, f64>,
    /// Bytes of its state.
    pub state_bytes: u64,
    /// The last event that it has dealt with.
    pub cursor: u64,
    /// Events that wait for it.
    pub lag: u64,
    /// Events handled since the host started.
    pub handled: u64,
    /// Effects accepted since the host started.
    pub effects: u64,
    /// Faults since the host started.
    pub faults: u64,
    /// The last fault, if there was one.
    pub last_fault: Option<String>,
    /// What it has used and asked for since it was put to work.
    pub ledger: Ledger,
    /// Its last lines of log.
    pub log: Vec<String>,
}
