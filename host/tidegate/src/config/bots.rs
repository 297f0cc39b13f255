use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::{Value, json};
use tidegate_core::{BotName, Grants, Mode, Triggers};

/// `[bots]`: which are there from the start.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BotsSection {
    /// The directory of the components below. Default = `plugins` beside the executable.
    pub(crate) plugins: Option<PathBuf>,
    /// Seconds that compiling one component may take, 1 to 600. Default = 60.
    pub(crate) compile_deadline_seconds: Option<u64>,
    /// Bytes of memory that compiling one component may take, 256 MiB to 64 GiB. Default = 1 GiB.
    pub(crate) compile_memory_bytes: Option<u64>,
    /// Instructions, about, that one call into a bot may take, 1 million to 1 trillion; 0: they are not counted. Default =
    /// 200 million: what works too long is stopped at the same place on every machine and in every replay.
    pub(crate) fuel: Option<u64>,
    /// Milliseconds that one call into a bot may take, 10 to 60,000. Default = 1000.
    pub(crate) deadline_ms: Option<u64>,
    /// Bytes of memory of a bot while it handles an event, 4 MiB to 1 GiB. Default = 64 MiB.
    pub(crate) memory_bytes: Option<usize>,
    /// Bots by name; each is installed, or changed to what is said here, when the host starts; not to
    /// exactly what was put back before, see `tidegate bots show`.
    pub(crate) install: BTreeMap<BotName, BotConfig>,
}

/// `[bots.install.NAME]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BotConfig {
    /// The component's file; a relative path is taken below `bots.plugins`.
    pub(crate) plugin: PathBuf,
    /// Its settings.
    #[serde(default = "nothing")]
    pub(crate) settings: Value,
    /// What it may do. Default = nothing.
    #[serde(default)]
    pub(crate) grants: Grants,
    /// What wakes it. Default = nothing.
    #[serde(default)]
    pub(crate) triggers: Triggers,
    /// How far its decisions are carried out. Default = `enforce`.
    #[serde(default)]
    pub(crate) mode: Mode,
}

fn nothing() -> Value {
    json!({})
}

/// Where first-party components are when nobody says so: installed beside the executable, or built by the workspace that
/// the executable is built by.
pub(super) fn plugins_near(executable: &Path) -> Option<PathBuf> {
    let beside = executable.parent()?;
    let candidates = [Some(beside.join("plugins")), beside.parent().map(|target| target.join("plugins"))];
    candidates.into_iter().flatten().find(|dir| dir.is_dir())
}

/// The two first-party bots as `dev` installs them: copy everything at once (there is one host, so nothing to spread),
/// keep the last three on NVMe.
pub(super) fn for_dev() -> Value {
    json!({
        "replicate": {
            "plugin": "replicate.wasm",
            "settings": { "jitter_seconds": 0.0 },
            "grants": { "read": ["*"], "replicate": ["*"], "targets": ["default"] },
            "triggers": { "events": ["checkpoint-complete", "checkpoint-replicated", "shard-corrupt"] },
        },
        "prune": {
            "plugin": "prune.wasm",
            "settings": { "keep_last": 3 },
            "grants": { "read": ["*"], "prune": ["*"], "tiers": ["nvme"] },
            "triggers": { "events": ["checkpoint-complete", "checkpoint-sealed", "checkpoint-replicated"] },
        },
    })
}
