//! Why an effect was not accepted, in a form that a policy can act on.

use serde::{Deserialize, Serialize};

/// The class of a refusal; the same words as `refusal` in `wit/types.wit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The operator did not grant this.
    Denied,
    /// It would break safe prune.
    WouldLoseData,
    /// A quota is used up.
    OverQuota,
    /// There is no such run or checkpoint.
    NotFound,
    /// Nothing to do.
    Unnecessary,
    /// A value out of its bounds.
    Invalid,
    /// Not now; later may succeed.
    Unavailable,
    /// Under a lease that is over.
    StaleToken,
}

/// A refusal with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{why:?}: {message}")]
pub struct Refusal {
    /// The class.
    pub why: Why,
    /// The rule or value that stood against it, in words.
    pub message: String,
}

impl Refusal {
    /// A refusal of this class.
    pub fn new(why: Why, message: impl Into<String>) -> Self {
        Self { why, message: message.into() }
    }
}
