use std::{fmt::Display, time::Duration};

use tidegate_core::{BotName, HostName, Seq};
use tokio::sync::Mutex;

use crate::{Host, error::blocking};

/// How long an answer of the object store is believed: asking it writes, reads and deletes an object.
const BELIEVED: Duration = Duration::from_secs(10);
/// How long somebody who asks for the host's health waits for the object store's.
const PATIENCE: Duration = Duration::from_secs(3);

/// The last word of the object store, and when it came, by the monotonic clock. One asks at a time.
pub(crate) type Probe = std::sync::Arc<Mutex<Option<(Duration, Check)>>>;

/// What a host is ready without. Saves need neither: a trainer goes on while the object store is away, and while the bots
/// that copy and prune stand still, at most until the tier is full, which is a check of its own. A host that said that it
/// is not ready would be taken out of service, and its trainers stopped, by what concerns them later or never; so it is
/// ready and says that it is degraded.
const NOT_NEEDED: [&str; 2] = ["object", "bots"];
/// Bots that stand still, or could not be installed, which a check names.
const NAMED: usize = 8;

/// One thing that is right of a sound host.
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
    /// Whether all that saves need is right.
    pub ready: bool,
    /// Whether some check is not right, though the host may be ready: the object store is away, or a bot stands still or
    /// could not be installed.
    pub degraded: bool,
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
        let store = self.0.store.clone();
        // Many files of open saves may have to be looked at.
        let room = blocking(move || {
            let (free, size) = store.space().unwrap_or_default();
            Ok::<_, crate::Error>((free, size, store.has_room().map_err(|error| error.to_string())))
        });
        let (tier_free, tier_size, room) = room.await.unwrap_or_else(|error| (0, 0, Err(error.to_string())));
        let tier = match room {
            Ok(()) => check("tier", true, format!("{tier_free} bytes free")),
            Err(error) => check("tier", false, error),
        };
        let stopping = self.0.stopping.is_cancelled();
        let object = self.object_health().await;
        let checks = vec![
            check("index", !broken, index.into()),
            tier,
            check("running", !stopping, if stopping { "is stopping" } else { "takes saves" }.into()),
            object,
            self.bots_health().await,
        ];
        let ready = checks.iter().all(|check| check.ok || NOT_NEEDED.contains(&check.name));
        let degraded = checks.iter().any(|check| !check.ok);
        HealthInfo {
            host: self.0.options.name.clone(),
            ready,
            degraded,
            checks,
            journal: self.0.store.index().last(),
            tier_free,
            tier_size,
            saves: self.0.store.open_saves() as u64,
            jobs: self.0.queue.len() as u64,
            object: self.0.target.to_string(),
        }
    }

    /// Whether all bots are at work, and those of the configuration installed; those that are not, by their names.
    async fn bots_health(&self) -> Check {
        let host = self.clone();
        let (still, all) = match blocking(move || host.standing_still()).await {
            Ok(found) => found,
            Err(error) => return Check { name: "bots", ok: false, detail: error.to_string() },
        };
        let missing = self.missing_bots();
        let mut wrong = Vec::new();
        if !still.is_empty() {
            let (count, named) = (still.len(), named(&still));
            wrong.push(format!("{count} of {all} stand still: {named}; `tidegate bots show BOT` says why"));
        }
        if !missing.is_empty() {
            let (count, named) = (missing.len(), named(&missing));
            wrong.push(format!("{count} of the configuration could not be installed: {named}"));
        }
        let ok = wrong.is_empty();
        Check { name: "bots", ok, detail: if ok { format!("{all} at work") } else { wrong.join("; ") } }
    }

    /// What the object store said lately, or says now. Who asks may stop waiting; the asking goes on to its end and leaves
    /// nothing in the bucket.
    async fn object_health(&self) -> Check {
        let late = Check { name: "object", ok: false, detail: format!("no answer within {} s", PATIENCE.as_secs()) };
        let host = self.clone();
        let ask = tokio::spawn(async move {
            let mut last = host.0.probe.lock().await;
            let now = host.0.clock.monotonic();
            if let Some((_, check)) = last.as_ref().filter(|(at, _)| now.saturating_sub(*at) < BELIEVED) {
                return check.clone();
            }
            let check = match host.0.target.probe().await {
                Ok(()) => Check { name: "object", ok: true, detail: "answers".into() },
                Err(error) => Check { name: "object", ok: false, detail: error.to_string() },
            };
            *last = Some((host.0.clock.monotonic(), check.clone()));
            check
        });
        match tokio::time::timeout(PATIENCE, ask).await {
            Ok(Ok(check)) => check,
            _ => late,
        }
    }
}

/// The first of them with what is to be said of each, and how many more there are.
fn named<T: Display>(bots: &[(BotName, T)]) -> String {
    let named: Vec<String> = bots.iter().take(NAMED).map(|(bot, why)| format!("{bot} ({why})")).collect();
    let more = bots.len() - named.len();
    format!("{}{}", named.join(", "), if more > 0 { format!(" and {more} more") } else { String::new() })
}
