//! The configuration: a TOML file, then variables such as `TIDEGATE_TIER__RESERVE_BYTES`, which go before it. Unknown
//! keys are refused. Values are checked here as far as their form goes; what they lead to, the parts say when they are made.

mod bots;
mod load;
mod secret;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

pub(crate) use bots::{BotConfig, BotsSection};
pub(crate) use load::{for_dev, from_file};
pub(crate) use secret::Secret;
use serde::Deserialize;
use tidegate_core::{HostName, TargetName};

/// All of it. `Debug` shows no secret.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) host: HostSection,
    #[serde(default)]
    pub(crate) tier: TierSection,
    #[serde(default)]
    pub(crate) api: ApiSection,
    pub(crate) object: ObjectSection,
    #[serde(default)]
    pub(crate) bots: BotsSection,
    #[serde(default)]
    pub(crate) policy: PolicySection,
}

/// `[host]`: who it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HostSection {
    /// Its name, which stands in every event.
    pub(crate) name: HostName,
    /// Its directory: socket, plugins as uploaded and as compiled and, unless `tier.path` says otherwise, the tier.
    pub(crate) dir: PathBuf,
    /// Threads for requests and decisions. Default = 2: the machine is the trainer's.
    #[serde(default = "default_workers")]
    pub(crate) workers: usize,
}

/// `[tier]`: the NVMe tier.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TierSection {
    /// Its directory, on the fast disk. Default = `tier` in the host's directory.
    pub(crate) path: Option<PathBuf>,
    /// Bytes of the file system that saves must leave free. Default = 1 GiB.
    pub(crate) reserve_bytes: Option<u64>,
    /// Threads that make digests, 1 to 64. Default = one for each eight cores.
    pub(crate) hash_threads: Option<usize>,
    /// Seconds that a save may take without being touched, 60 to 604800: then what was written is removed. Default = 3600.
    pub(crate) save_ttl_seconds: Option<u64>,
}

/// `[api]`: where clients connect.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ApiSection {
    /// The Unix socket. Default = `tidegate.sock` in the host's directory.
    pub(crate) socket: Option<PathBuf>,
    /// A loopback address as well, such as `127.0.0.1:7070`. Default = none.
    pub(crate) listen: Option<SocketAddr>,
}

/// `[object]`: where copies go.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ObjectSection {
    /// `s3://bucket/prefix`, `gs://…`, `az://…`, `file:///dir` or `memory://`.
    pub(crate) url: String,
    /// The name by which bots ask for it. Default = `default`.
    #[serde(default = "default_target")]
    pub(crate) name: TargetName,
    /// How uploaded bytes are proven: `auto`, `checksum`, `reread` or `size`. Default = `auto`.
    #[serde(default)]
    pub(crate) verify: Option<String>,
    /// Parts in flight. Default = 8.
    #[serde(default)]
    pub(crate) concurrency: Option<std::num::NonZeroUsize>,
    /// Bytes of a part. Default = 16 MiB.
    #[serde(default)]
    pub(crate) part_bytes: Option<u64>,
    /// Bytes a second to the target, over all its transfers, at least 16384; restores go first. Default = no bound.
    #[serde(default)]
    pub(crate) upload_rate: Option<std::num::NonZeroU64>,
    /// Bytes a second from the target, at least 16384. Default = no bound.
    #[serde(default)]
    pub(crate) download_rate: Option<std::num::NonZeroU64>,
    /// Requests a second. Default = no bound.
    #[serde(default)]
    pub(crate) requests: Option<std::num::NonZeroU64>,
    /// Settings of the store, such as `endpoint`, `region`, `access_key_id`.
    #[serde(default)]
    pub(crate) options: BTreeMap<String, Secret>,
}

/// `[policy]`: what the guard promises beyond what it always does.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PolicySection {
    /// Verified copies that a checkpoint must have had before safe prune lets the last one go, 1 or 2. Default = 2: NVMe and
    /// object storage.
    pub(crate) copies: u32,
}

impl Default for PolicySection {
    fn default() -> Self {
        Self { copies: 2 }
    }
}

fn default_workers() -> usize {
    2
}

#[expect(clippy::expect_used, reason = "a constant that a test reads")]
fn default_target() -> TargetName {
    "default".parse().expect("`default` is a name")
}

impl Config {
    /// The tier's directory.
    pub(crate) fn tier_path(&self) -> PathBuf {
        self.tier.path.clone().unwrap_or_else(|| self.host.dir.join("tier"))
    }

    /// Where uploaded components are kept.
    pub(crate) fn plugins_path(&self) -> PathBuf {
        self.host.dir.join("plugins")
    }

    /// Where compiled components are kept.
    pub(crate) fn compiled_path(&self) -> PathBuf {
        self.host.dir.join("compiled")
    }

    /// The Unix socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.api.socket.clone().unwrap_or_else(|| self.host.dir.join("tidegate.sock"))
    }
}
