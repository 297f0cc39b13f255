use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An error, as RFC 9457 `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `/errors/` and the code; identifies the kind of error.
    #[serde(rename = "type")]
    pub kind: String,
    /// What happened, in a few words; the same for the same code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time, and to what.
    pub detail: String,
    /// Stable code, such as `TG0007`.
    pub code: String,
    /// What to do.
    pub hint: String,
}
