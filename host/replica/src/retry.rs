//! Trying again. `object_store` repeats a request when the server is busy or the connection breaks; what it takes for
//! final may still be an accident of the wire (a checksum that did not match, a cut answer), so one level above, whole
//! operations are repeated a few times too.

use std::{future::Future, time::Duration};

use object_store::{BackoffConfig, RetryConfig};
use tidegate_core::retry::Backoff;
use tokio_util::sync::CancellationToken;

use crate::{Error, Options};

const TRIES: u32 = 4;
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(5) };

/// Calls until it works, or fails in a way that can't change, or has failed four times, or is stopped.
pub(crate) async fn again<T, F>(stop: &CancellationToken, mut call: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut failures = 0;
    loop {
        match stop.run_until_cancelled(call()).await {
            None => return Err(Error::Cancelled),
            Some(Err(error)) if error.retryable() && failures + 1 < TRIES => {
                failures += 1;
                tracing::info!(%error, failures, "trying again");
                let wait = BACKOFF.after(failures, &fastrand::u64(..).to_le_bytes());
                if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                    return Err(Error::Cancelled);
                }
            }
            Some(result) => return result,
        }
    }
}

/// What `object_store` itself repeats.
pub(crate) fn of_requests(options: &Options) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig { max_backoff: Duration::from_secs(10), ..BackoffConfig::default() },
        max_retries: options.retries,
        // Signatures are made once for all tries of a request and are good for some 15 minutes.
        retry_timeout: Duration::from_secs(240).max(options.deadline * 2).min(Duration::from_secs(600)),
    }
}
