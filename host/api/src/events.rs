use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A fact of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its place: 1, 2, 3, ...; it only grows, and has gaps where events were lost.
    pub seq: u64,
    /// When it was recorded, RFC 3339.
    pub time: String,
    /// Who recorded it.
    pub host: String,
    /// Its kind, such as `checkpoint-complete`.
    pub kind: String,
    /// What the kind tells: run, step and so on.
    #[serde(flatten)]
    pub what: Map<String, Value>,
}
