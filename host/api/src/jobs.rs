use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An accepted effect being carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Names it; it is the effect's id.
    pub id: String,
    /// Who asked: a bot's name, or `operator`.
    pub by: String,
    /// `replicate` or `prune`.
    pub verb: String,
    /// The run.
    pub run: String,
    /// The step.
    pub step: u64,
    /// The tier or the target that it concerns.
    pub place: String,
    /// `queued`, `running`, `done`, `failed` or `cancelled`.
    pub state: String,
    /// Why it was asked, in the words of who asked.
    pub reason: String,
    /// What was done, or what went wrong last.
    pub detail: String,
    /// Tries that failed.
    pub failures: u32,
    /// Bytes moved or freed so far.
    pub bytes: u64,
    /// Bytes in all, once known.
    pub bytes_total: u64,
    /// When it was accepted, RFC 3339.
    pub created_at: String,
    /// When its state last changed, RFC 3339.
    pub updated_at: String,
    /// It does not start before, RFC 3339.
    pub not_before: String,
}
