use std::{sync::Arc, time::Duration};

use tidegate_core::Code;
use tidegate_engine::Host;
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::http::Failure;

/// What every handler has.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) host: Host,
    /// Cancelled when the server stops: long polls and streams end then.
    pub(crate) stop: CancellationToken,
    uploads: Arc<Semaphore>,
    scrapes: Arc<Mutex<()>>,
}

/// Components that are taken in at once; each may have 64 MiB.
const UPLOADS: usize = 4;
/// For an upload to wait for its turn.
const TURN: Duration = Duration::from_secs(5);

impl App {
    pub(crate) fn new(host: Host, stop: CancellationToken) -> Self {
        Self { host, stop, uploads: Arc::new(Semaphore::new(UPLOADS)), scrapes: Arc::default() }
    }

    /// An upload's turn; the next may begin when it is dropped.
    ///
    /// # Errors
    /// [`Code::TooMany`] after some seconds.
    pub(crate) async fn upload_turn(&self) -> Result<OwnedSemaphorePermit, Failure> {
        let turn = tokio::time::timeout(TURN, Arc::clone(&self.uploads).acquire_owned()).await;
        let detail =
            || format!("{UPLOADS} components are being uploaded; there was no turn within {} s", TURN.as_secs());
        turn.ok().and_then(Result::ok).ok_or_else(|| Failure::new(Code::TooMany, detail()))
    }

    /// The turn to write out what the host counts, which with many bots is some megabytes.
    pub(crate) async fn scrape_turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.scrapes).lock_owned().await
    }

    /// Waits for `answer` no longer than until the server stops; `None` then.
    pub(crate) async fn unless_stopped<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        self.stop.run_until_cancelled(answer).await
    }
}

/// The longest that a request may be held back.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What `?wait=SECONDS` means: none is 0, more than a minute is a minute.
///
/// # Errors
/// A number that is no length of time.
pub(crate) fn wait(seconds: Option<f64>) -> Result<Duration, Failure> {
    let seconds = seconds.unwrap_or_default();
    Duration::try_from_secs_f64(seconds.min(LONGEST_WAIT.as_secs_f64()))
        .ok()
        .filter(|_| !seconds.is_nan())
        .ok_or_else(|| Failure::bad_request(format!("`wait` is {seconds}; give seconds, 0 to 60")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_bounded() {
        assert_eq!(wait(None).unwrap(), Duration::ZERO);
        assert_eq!(wait(Some(1.5)).unwrap(), Duration::from_millis(1500));
        assert_eq!(wait(Some(1e300)).unwrap(), LONGEST_WAIT);
        for bad in [-1.0, f64::NAN, f64::NEG_INFINITY] {
            assert!(wait(Some(bad)).is_err(), "{bad}");
        }
    }
}
