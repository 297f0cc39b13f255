//! What ends a handler, and what refusals mean.

use std::fmt;

use crate::Refusal;

/// Why a handler failed, in words for the operator. Refusals, texts and serde's errors convert with `?`.
///
/// ```
/// use tidegate_sdk::{Error, Refusal};
///
/// fn handler() -> Result<(), Error> {
///     Err(Refusal::Denied("no grant `pin`".into()))?
/// }
/// assert_eq!(handler().unwrap_err().to_string(), "denied: no grant `pin`");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(String);

impl Error {
    /// An error in these words.
    ///
    /// ```
    /// let error = tidegate_sdk::Error::new(format_args!("{} is no step", -1));
    /// assert_eq!(error.to_string(), "-1 is no step");
    /// ```
    pub fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self(format!("{}: {}", refusal.class(), refusal.message()))
    }
}

impl From<String> for Error {
    fn from(message: String) -> Self {
        Self(message)
    }
}

impl From<&str> for Error {
    fn from(message: &str) -> Self {
        Self(message.to_owned())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

impl Refusal {
    /// The class, as `wit/types.wit` names it.
    ///
    /// ```
    /// let refusal = tidegate_sdk::Refusal::WouldLoseData("it is pinned".into());
    /// assert_eq!(refusal.class(), "would-lose-data");
    /// ```
    pub fn class(&self) -> &'static str {
        match self {
            Self::Denied(_) => "denied",
            Self::WouldLoseData(_) => "would-lose-data",
            Self::OverQuota(_) => "over-quota",
            Self::NotFound(_) => "not-found",
            Self::Unnecessary(_) => "unnecessary",
            Self::Invalid(_) => "invalid",
            Self::Unavailable(_) => "unavailable",
            Self::StaleToken(_) => "stale-token",
        }
    }

    /// The rule or value that stood against it.
    ///
    /// ```
    /// let refusal = tidegate_sdk::Refusal::WouldLoseData("it is pinned".into());
    /// assert_eq!(refusal.message(), "it is pinned");
    /// ```
    pub fn message(&self) -> &str {
        match self {
            Self::Denied(m) | Self::WouldLoseData(m) | Self::OverQuota(m) | Self::NotFound(m) => m,
            Self::Unnecessary(m) | Self::Invalid(m) | Self::Unavailable(m) | Self::StaleToken(m) => m,
        }
    }

    /// Whether the world, not the bot or its grants, stood against it: it is settled already, or may go at a later
    /// event. `denied` and `invalid` never pass by themselves.
    ///
    /// ```
    /// use tidegate_sdk::Refusal;
    /// assert!(Refusal::Unavailable("it is being read".into()).may_pass());
    /// assert!(!Refusal::Denied("no grant `prune`".into()).may_pass());
    /// ```
    pub fn may_pass(&self) -> bool {
        !matches!(self, Self::Denied(_) | Self::Invalid(_))
    }
}
