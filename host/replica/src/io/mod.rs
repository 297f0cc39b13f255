//! Files of this host, read and written in whole blocks, off the runtime.

pub(crate) mod beneath;
pub(crate) mod buffer;
pub(crate) mod read;
pub mod trial;
pub(crate) mod write;

use crate::Error;

/// Runs what blocks on a thread for it.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await?
}
