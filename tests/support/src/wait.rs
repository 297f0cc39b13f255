//! Waiting for a state with a deadline.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

/// How often a state is looked at.
const INTERVAL: Duration = Duration::from_millis(20);

/// Looks until `look` gives a value and returns it.
///
/// # Errors
/// What `look` fails with, at once; or, after `deadline`, an error that says what was waited for.
pub fn until<T>(what: &str, deadline: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(value) = look()? {
            return Ok(value);
        }
        if started.elapsed() >= deadline {
            bail!("waited {deadline:?} for {what}");
        }
        thread::sleep(INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_comes_back_as_soon_as_it_is_there() {
        let mut looks = 0;
        let value = until("the third look", Duration::from_secs(60), || {
            looks += 1;
            Ok((looks == 3).then_some("here"))
        });
        assert_eq!(value.unwrap(), "here");
    }

    #[test]
    fn the_error_says_what_was_waited_for() {
        let error = until("the tide", Duration::ZERO, || Ok(None::<()>)).unwrap_err();
        assert!(error.to_string().contains("the tide"));
    }
}
