use std::time::Duration;

/// How patient a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// For one answer, retries included. Default = 30 s.
    pub timeout: Duration,
    /// For the answer to a commit, which waits for the disk. Default = 15 min.
    pub commit_timeout: Duration,
    /// How often a GET is tried again when the host can't be reached or says 429 or 503. Default = 2.
    pub retries: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), commit_timeout: Duration::from_secs(900), retries: 2 }
    }
}
