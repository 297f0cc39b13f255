//! Numbers for the operator's dashboards, committed with what the handler asks for.

use crate::{Refusal, host::metrics as host};

/// Sets a number that goes up and down.
///
/// # Errors
/// The host's refusal: `invalid` for a name or value out of bounds, `over-quota` beyond 32 names.
///
/// ```
/// use tidegate_sdk::{metrics, testing::Cluster};
/// let cluster = Cluster::new();
/// metrics::set("copies_missing", 3.0).unwrap();
/// assert_eq!(cluster.metrics()["copies_missing"], 3.0);
/// assert_eq!(metrics::set("Not a name", 1.0).unwrap_err().class(), "invalid");
/// ```
pub fn set(name: &str, value: f64) -> Result<(), Refusal> {
    host::set(name, value)
}

/// Adds to a number that only grows; `by` is 0 or more.
///
/// # Errors
/// As [`set`].
///
/// ```
/// use tidegate_sdk::{metrics, testing::Cluster};
/// let cluster = Cluster::new();
/// metrics::add("pruned_total", 2.0).unwrap();
/// metrics::add("pruned_total", 1.0).unwrap();
/// assert_eq!(cluster.metrics()["pruned_total"], 3.0);
/// ```
pub fn add(name: &str, by: f64) -> Result<(), Refusal> {
    host::add(name, by)
}
