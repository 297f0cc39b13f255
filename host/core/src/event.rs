//! Facts, as the journal keeps them.

use serde::{Deserialize, Serialize};

use crate::{BotName, Digest, EffectId, HostName, Rank, RunName, Step, TargetName, Tier, Timestamp, WorldSize};

/// A place in the journal: 1, 2, 3, ... without gaps, but where an index has lost its end: as far as the tier tells how
/// far it had come, the lost places are not given twice.
pub type Seq = u64;

/// One fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the journal.
    pub seq: Seq,
    /// When it was recorded.
    pub time: Timestamp,
    /// Who recorded it.
    pub host: HostName,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What can happen. Records that never change their meaning; new kinds are added, old ones stay readable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum EventKind {
    /// A bot was installed or its settings changed; for that bot alone.
    BotStarted {
        /// The bot.
        bot: BotName,
        /// The component it runs from now on.
        plugin: Digest,
    },
    /// A bot failed too often on one event and stopped there; its events wait for it.
    BotQuarantined {
        /// The bot.
        bot: BotName,
        /// The event that it failed on.
        at: Seq,
        /// What it said or did.
        fault: String,
    },
    /// A version of a bot that had taken over failed on one of its first events: the one before is at work again.
    BotRolledBack {
        /// The bot.
        bot: BotName,
        /// The component that failed.
        from: Digest,
        /// The component that is at work from now on.
        to: Digest,
        /// The event that it failed on; the place of the bot's cursor if an operator wanted it.
        at: Seq,
        /// What it said or did, or who wanted it.
        fault: String,
    },
    /// A time has come that a bot asked for; for that bot alone.
    BotWoken {
        /// The bot.
        bot: BotName,
        /// The key that it gave.
        key: String,
        /// The time that it asked for.
        due: Timestamp,
        /// Why it asked.
        reason: String,
    },
    /// One rank's files are durable on NVMe.
    ShardCommitted {
        /// The run.
        run: RunName,
        /// The step.
        step: Step,
        /// Whose share.
        rank: Rank,
        /// Of how many.
        world_size: WorldSize,
        /// Bytes of the shard.
        bytes: u64,
        /// Files of the shard.
        files: u32,
    },
    /// Every rank has committed.
    CheckpointComplete {
        /// The run.
        run: RunName,
        /// The step.
        step: Step,
        /// Bytes of all shards known here.
        bytes: u64,
    },
    /// The digests of all shards here exist.
    CheckpointSealed {
        /// The run.
        run: RunName,
        /// The step.
        step: Step,
    },
    /// A verified copy of the whole checkpoint is on a target.
    CheckpointReplicated {
        /// The run.
        run: RunName,
        /// The step.
        step: Step,
        /// Where.
        target: TargetName,
        /// Bytes sent for it.
        bytes: u64,
        /// How the copy was verified.
        verified: String,
    },
    /// Its bytes are gone from a tier.
    CheckpointPruned {
        /// The run.
        run: RunName,
        /// The step.
        step: Step,
        /// From where.
        tier: Tier,
        /// Bytes freed.
        bytes: u64,
        /// Why.
        reason: String,
    },
    /// A checkpoint was found on an object target that this host's index did not know.
    CheckpointFound {
        /// The run.
        run: RunName,
        /// The step.
        step: Step,
        /// Where.
        target: TargetName,
    },
    /// Bytes on a tier are not what was committed. They are set aside and no longer count as a copy.
    ShardCorrupt {
        /// The run.
        run: RunName,
        /// The step.
        step: Step,
        /// Whose share.
        rank: Rank,
        /// Where.
        tier: Tier,
        /// Which file and block, and what was found.
        detail: String,
    },
    /// The index was a new one beside a tier that was not, or had lost its end: it has taken in what stands on the tier.
    /// Places of the journal before this one may be missing, and what it knew besides is lost.
    IndexRebuilt {
        /// Shards that it did not know.
        shards: u64,
    },
    /// A pin was set.
    Pinned {
        /// The run.
        run: RunName,
        /// The step.
        step: Step,
        /// Who pinned it: a bot's name, or `operator`.
        by: String,
        /// Why.
        reason: String,
    },
    /// A pin was taken back.
    Unpinned {
        /// The run.
        run: RunName,
        /// The step.
        step: Step,
        /// Whose pin.
        by: String,
        /// Who lifted it, if it was not its holder: `operator`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lifted_by: Option<String>,
        /// Why.
        reason: String,
    },
    /// A job has ended.
    JobFinished {
        /// The effect that it carried out.
        effect: EffectId,
        /// Who asked for it: a bot's name, or `operator`.
        by: String,
        /// The run.
        run: RunName,
        /// The step.
        step: Step,
        /// Whether it did what was asked.
        ok: bool,
        /// What was done, or why not.
        detail: String,
    },
}

impl EventKind {
    /// The names of the kinds that a bot can be triggered by, as `wit/types.wit` has them. `started`,
    /// `woken` and `job-finished` reach the bot that they concern whether it asked for them or not.
    pub const TRIGGERS: [&'static str; 6] = [
        "shard-committed",
        "checkpoint-complete",
        "checkpoint-sealed",
        "checkpoint-replicated",
        "checkpoint-pruned",
        "shard-corrupt",
    ];

    /// The kind's name: that of its `kind` field.
    pub fn name(&self) -> &'static str {
        match self {
            Self::BotStarted { .. } => "bot-started",
            Self::BotQuarantined { .. } => "bot-quarantined",
            Self::BotRolledBack { .. } => "bot-rolled-back",
            Self::BotWoken { .. } => "bot-woken",
            Self::ShardCommitted { .. } => "shard-committed",
            Self::CheckpointComplete { .. } => "checkpoint-complete",
            Self::CheckpointSealed { .. } => "checkpoint-sealed",
            Self::CheckpointReplicated { .. } => "checkpoint-replicated",
            Self::CheckpointPruned { .. } => "checkpoint-pruned",
            Self::CheckpointFound { .. } => "checkpoint-found",
            Self::ShardCorrupt { .. } => "shard-corrupt",
            Self::IndexRebuilt { .. } => "index-rebuilt",
            Self::Pinned { .. } => "pinned",
            Self::Unpinned { .. } => "unpinned",
            Self::JobFinished { .. } => "job-finished",
        }
    }

    /// The run that it is about, if it is about one.
    pub fn run(&self) -> Option<&RunName> {
        match self {
            Self::BotStarted { .. }
            | Self::BotQuarantined { .. }
            | Self::BotRolledBack { .. }
            | Self::BotWoken { .. }
            | Self::IndexRebuilt { .. } => None,
            Self::ShardCommitted { run, .. }
            | Self::CheckpointComplete { run, .. }
            | Self::CheckpointSealed { run, .. }
            | Self::CheckpointReplicated { run, .. }
            | Self::CheckpointPruned { run, .. }
            | Self::CheckpointFound { run, .. }
            | Self::ShardCorrupt { run, .. }
            | Self::Pinned { run, .. }
            | Self::Unpinned { run, .. }
            | Self::JobFinished { run, .. } => Some(run),
        }
    }
}
