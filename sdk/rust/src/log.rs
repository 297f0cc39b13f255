//! Lines for the operator: kept even if the handler fails; at most 1024 bytes each and 64 an event.

use std::fmt::Display;

pub use crate::bindings::tidegate::bot::log::Level;
use crate::host::log as host;

/// For who writes the bot.
///
/// ```
/// use tidegate_sdk::{log, testing::Cluster};
/// let cluster = Cluster::new();
/// log::debug(format_args!("{} of {}", 1, 2));
/// assert_eq!(cluster.lines(), [(log::Level::Debug, "1 of 2".to_owned())]);
/// ```
pub fn debug(message: impl Display) {
    host::line(Level::Debug, &message.to_string());
}

/// Good to know.
///
/// ```
/// use tidegate_sdk::{log, testing::Cluster};
/// let cluster = Cluster::new();
/// log::info(format_args!("{} of {}", 1, 2));
/// assert_eq!(cluster.lines(), [(log::Level::Info, "1 of 2".to_owned())]);
/// ```
pub fn info(message: impl Display) {
    host::line(Level::Info, &message.to_string());
}

/// Should be looked at.
///
/// ```
/// use tidegate_sdk::{log, testing::Cluster};
/// let cluster = Cluster::new();
/// log::warn(format_args!("{} of {}", 1, 2));
/// assert_eq!(cluster.lines(), [(log::Level::Warn, "1 of 2".to_owned())]);
/// ```
pub fn warn(message: impl Display) {
    host::line(Level::Warn, &message.to_string());
}

/// Must be looked at.
///
/// ```
/// use tidegate_sdk::{log, testing::Cluster};
/// let cluster = Cluster::new();
/// log::error(format_args!("{} of {}", 1, 2));
/// assert_eq!(cluster.lines(), [(log::Level::Error, "1 of 2".to_owned())]);
/// ```
pub fn error(message: impl Display) {
    host::line(Level::Error, &message.to_string());
}
