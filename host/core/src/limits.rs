//! Bounds of every input, in one place. Each is the largest value that is accepted.

/// Bytes of a run, host, bot or target name.
pub const NAME_BYTES: usize = 128;
/// Bytes of a file's path below its shard.
pub const PATH_BYTES: usize = 1024;
/// Bytes of one component of a path: what Linux file systems take.
pub const PATH_COMPONENT_BYTES: usize = 255;
/// Components of a path.
pub const PATH_DEPTH: usize = 32;
/// The largest step.
pub const STEP: u64 = 1_000_000_000_000_000;
/// The largest world size.
pub const WORLD_SIZE: u32 = 65_536;
/// Files of one shard.
pub const SHARD_FILES: usize = 1_000_000;
/// Bytes of one shard: 16 TiB.
pub const SHARD_BYTES: u64 = 16 << 40;
/// Metrics of one commit.
pub const METRICS: usize = 64;
/// Bytes of a metric's name.
pub const METRIC_NAME_BYTES: usize = 64;
/// Bytes of a reason.
pub const REASON_BYTES: usize = 512;
/// Bytes of a manifest body. A save whose body might be larger (a million files with paths of a kilobyte) is refused at its
/// commit.
pub const BODY_BYTES: usize = 1 << 30;
/// Bytes of a component.
pub const COMPONENT_BYTES: usize = 64 << 20;
/// Bytes of a plugin's manifest.
pub const PLUGIN_MANIFEST_BYTES: usize = 256 << 10;
/// Bytes of the JSON Schema of a plugin's settings.
pub const SETTINGS_SCHEMA_BYTES: usize = 64 << 10;
/// How deep values stand within each other in it.
pub const SETTINGS_SCHEMA_DEPTH: usize = 32;
/// Bytes of a bot's settings.
pub const SETTINGS_BYTES: usize = 64 << 10;
/// Patterns of runs in one list of a bot's grants or triggers.
pub const GLOBS: usize = 64;
/// Events that a new version of a bot may be on probation for.
pub const PROBATION: u64 = 1_000_000;
/// Pins on one checkpoint.
pub const PINS: usize = 64;
/// Bytes of one block: digests are made, ranges are read and corruption is named in this unit.
pub const BLOCK_BYTES: u64 = 4 << 20;
/// Bytes of a state key of a bot.
pub const STATE_KEY_BYTES: usize = 256;
/// Keys under which a bot can be woken.
pub const WAKES: usize = 256;
/// How long ahead a bot can ask to be woken, nanoseconds: 400 days.
pub const WAKE_AHEAD: u64 = 400 * 24 * 3600 * 1_000_000_000;
/// Numbers that one bot may keep for dashboards.
pub const BOT_METRICS: usize = 32;
/// The lowest rate that a copy can be held to, bytes a second.
pub const RATE_BYTES: u64 = 64 << 10;
/// Bytes that a bot draws in one call.
pub const RANDOM_BYTES: u32 = 4096;
/// Bytes of a state value of a bot.
pub const STATE_VALUE_BYTES: usize = 64 << 10;
