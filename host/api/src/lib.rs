//! Wire types of the REST API, version 1, shared by server and client. Plain data: what a value means is decided by the
//! server. Times are RFC 3339 in UTC, sizes bytes, durations seconds.

mod bots;
mod checkpoints;
mod events;
mod health;
mod jobs;
mod limits;
mod problem;
mod restores;
mod saves;

pub use bots::{
    Amount, Asked, Bot, BotSpec, CalledOff, Candidate, Decision, Difference, Ledger, Letter, Plugin, Previous, Promote,
    Promoted, Replay, RolledBack, Trial, TrialRequest, Wake,
};
pub use checkpoints::{Checkpoint, Pin, PinRequest, PruneAnswer, PruneRequest, Run, Shard, Tier, UnpinRequest};
pub use events::Event;
pub use health::{Health, Readiness};
pub use jobs::Job;
pub use limits::Limits;
pub use problem::Problem;
pub use restores::{From, Restore, RestoreRequest, RestoreState, StepChoice};
pub use saves::{Begin, Commit, Committed, Save};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// Give this as `page` to get the next one; absent at the end. Opaque.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
