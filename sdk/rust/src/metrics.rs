//! Numbers for the operator's dashboards, committed with what the handler asks for.

use crate::{Refusal, host::metrics as host};

/// Sets a number that goes up and down.
///
/// # Errors
/// The host's refusal: `invalid` for a name or value out of bounds, `over-quota` beyond 32 names.
pub fn set(name: &str, value: f64) -> Result<(), Refusal> {
    host::set(name, value)
}

/// Adds to a number that only grows; `by` is 0 or more.
///
/// # Errors
/// As [`set`].
pub fn add(name: &str, by: f64) -> Result<(), Refusal> {
    host::add(name, by)
}
