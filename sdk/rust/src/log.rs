//! Lines for the operator: kept even if the handler fails; at most 1024 bytes each and 64 an event.

use std::fmt::Display;

pub use crate::bindings::tidegate::bot::log::Level;
use crate::host::log as host;

/// For who writes the bot.
pub fn debug(message: impl Display) {
    host::line(Level::Debug, &message.to_string());
}

/// Good to know.
pub fn info(message: impl Display) {
    host::line(Level::Info, &message.to_string());
}

/// Should be looked at.
pub fn warn(message: impl Display) {
    host::line(Level::Warn, &message.to_string());
}

/// Must be looked at.
pub fn error(message: impl Display) {
    host::line(Level::Error, &message.to_string());
}
