use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One thing that is right of a sound host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// What was looked at: `index`, `tier`, `running`, `object`, `bots`.
    pub name: String,
    /// Whether it is right.
    pub ok: bool,
    /// What was found.
    pub detail: String,
}

/// What the host says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Its name.
    pub host: String,
    /// Its version.
    pub version: String,
    /// Whether all is right that saves need: all checks but `object` and `bots`.
    pub ready: bool,
    /// Whether some check is not right, though the host may be ready: the object store is away, a bot is stopped or in
    /// quarantine, or one of the configuration could not be installed.
    #[serde(default)]
    pub degraded: bool,
    /// The checks.
    pub checks: Vec<Readiness>,
    /// The last place in the journal.
    pub journal: u64,
    /// Bytes free on the tier's file system.
    pub tier_free: u64,
    /// Bytes of its size.
    pub tier_size: u64,
    /// Saves in progress.
    pub saves: u64,
    /// Jobs queued or running.
    pub jobs: u64,
    /// The object target, credentials left out.
    pub object: String,
}
