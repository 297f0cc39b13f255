use std::time::Duration;

use tidegate_core::{HostName, Seq};

use crate::Host;

/// One thing that must be right for a host to be ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// Whether it is right.
    pub ok: bool,
    /// What was found.
    pub detail: String,
}

/// What a host says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthInfo {
    /// Its name.
    pub host: HostName,
    /// Whether all that saves need is right; an object store that is away does not stop a trainer.
    pub ready: bool,
    /// The checks.
    pub checks: Vec<Check>,
    /// The last place in the journal.
    pub journal: Seq,
    /// Bytes free on the tier's file system.
    pub tier_free: u64,
    /// Its size in bytes.
    pub tier_size: u64,
    /// Saves in progress.
    pub saves: u64,
    /// Jobs queued or running.
    pub jobs: u64,
    /// The object target, without credentials.
    pub object: String,
}

impl Host {
    /// Looks at what must be right. Takes at most about 3 s.
    pub async fn health(&self) -> HealthInfo {
        let check = |name, ok, detail: String| Check { name, ok, detail };
        let broken = *self.0.store.index().broken().borrow();
        let index = if broken { "a sync failed; restart the host" } else { "syncs" };
        let (tier_free, tier_size) = self.0.store.space().unwrap_or_default();
        let tier = match self.0.store.has_room() {
            Ok(()) => check("tier", true, format!("{tier_free} bytes free")),
            Err(error) => check("tier", false, error.to_string()),
        };
        let stopping = self.0.stopping.is_cancelled();
        let object = match tokio::time::timeout(Duration::from_secs(3), self.0.target.probe()).await {
            Ok(Ok(())) => check("object", true, "answers".into()),
            Ok(Err(error)) => check("object", false, error.to_string()),
            Err(_) => check("object", false, "no answer within 3 s".into()),
        };
        let checks = vec![
            check("index", !broken, index.into()),
            tier,
            check("running", !stopping, if stopping { "is stopping" } else { "takes saves" }.into()),
            object,
        ];
        let ready = checks.iter().all(|check| check.ok || check.name == "object");
        HealthInfo {
            host: self.0.options.name.clone(),
            ready,
            checks,
            journal: *self.0.store.index().head().borrow(),
            tier_free,
            tier_size,
            saves: self.0.store.open_saves() as u64,
            jobs: self.0.queue.len() as u64,
            object: self.0.target.to_string(),
        }
    }
}
