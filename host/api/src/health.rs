use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One thing that must be right for the host to be ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// What was looked at: `index`, `tier`, `object`, `journal`.
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
    /// Whether all checks are right.
    pub ready: bool,
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
