//! The catalogue of checkpoints, and what may be asked of them.

pub use crate::bindings::tidegate::bot::checkpoints::Verdict;
use crate::{Checkpoint, Refusal, Tier, host::checkpoints as host};

/// The most that one call to the host returns.
const PAGE: usize = 256;

/// The names of the runs known here, in order, at most `most`.
///
/// # Errors
/// The host's refusal; runs that the grant `read` does not cover are left out without one.
///
/// ```
/// use tidegate_sdk::{checkpoints, testing::{Cluster, checkpoint}};
/// let cluster = Cluster::new();
/// ["gpt", "bert", "llama"].map(|run| cluster.put(checkpoint(run, 1)));
/// assert_eq!(checkpoints::runs(2).unwrap(), ["bert", "gpt"]);
/// ```
pub fn runs(most: usize) -> Result<Vec<String>, Refusal> {
    let mut runs: Vec<String> = Vec::new();
    while runs.len() < most {
        let page = host::runs(runs.last().map(String::as_str))?;
        let whole = page.len() >= PAGE;
        runs.extend(page);
        if !whole {
            break;
        }
    }
    runs.truncate(most);
    Ok(runs)
}

/// A run's checkpoints, newest step first, at most `most`. Asks the host page by page.
///
/// # Errors
/// The host's refusal, such as `denied` without the grant `read`.
///
/// ```
/// use tidegate_sdk::{checkpoints, testing::{Cluster, checkpoint}};
/// let cluster = Cluster::new();
/// (1..=600).for_each(|step| cluster.put(checkpoint("gpt", step)));
/// let newest = checkpoints::newest("gpt", 500).unwrap();
/// assert_eq!((newest.len(), newest[0].step, newest[499].step), (500, 600, 101));
/// ```
pub fn newest(run: &str, most: usize) -> Result<Vec<Checkpoint>, Refusal> {
    let mut found = Vec::new();
    let mut before = None;
    while found.len() < most {
        let limit = u32::try_from(PAGE.min(most - found.len())).unwrap_or(1);
        let page = host::list_checkpoints(run, before, limit)?;
        found.extend(page.items);
        match page.next {
            Some(next) => before = Some(next),
            None => break,
        }
    }
    Ok(found)
}

/// One checkpoint, if it is known.
///
/// # Errors
/// The host's refusal.
///
/// ```
/// use tidegate_sdk::{checkpoints, testing::{Cluster, checkpoint}};
/// let cluster = Cluster::new();
/// cluster.put(checkpoint("gpt", 100));
/// assert_eq!(checkpoints::get("gpt", 100).unwrap().unwrap().bytes, 1000);
/// assert_eq!(checkpoints::get("gpt", 101).unwrap(), None);
/// ```
pub fn get(run: &str, step: u64) -> Result<Option<Checkpoint>, Refusal> {
    host::get_checkpoint(run, step)
}

/// What the guard would say to the prune of each of these steps (1 to 256) now, in their order, without asking for any.
///
/// # Errors
/// The host's refusal, such as `denied` without the grant `prune`.
///
/// ```
/// use tidegate_sdk::{Tier, checkpoints, testing::{Cluster, checkpoint}};
/// let cluster = Cluster::new();
/// cluster.put(checkpoint("gpt", 100));
/// let plan = checkpoints::plan_prune("gpt", &[100, 200], Tier::Nvme).unwrap();
/// assert!(plan[0].allowed && !plan[1].allowed);
/// ```
pub fn plan_prune(run: &str, steps: &[u64], tier: Tier) -> Result<Vec<Verdict>, Refusal> {
    host::plan_prune(run, steps, tier)
}

/// Asks to hold the checkpoint against every prune until this bot unpins it. Returns the effect's id, as the three
/// below do.
///
/// # Errors
/// The host's refusal.
///
/// ```
/// use tidegate_sdk::{checkpoints, testing::{Cluster, checkpoint}};
/// let cluster = Cluster::new();
/// cluster.put(checkpoint("gpt", 100));
/// let effect = checkpoints::pin("gpt", 100, "the best so far").unwrap();
/// assert_eq!(effect.len(), 32);
/// assert_eq!(checkpoints::pin("gpt", 101, "the next").unwrap_err().class(), "not-found");
/// ```
pub fn pin(run: &str, step: u64, reason: &str) -> Result<String, Refusal> {
    host::pin(run, step, reason)
}

/// Asks to take this bot's pin back.
///
/// # Errors
/// The host's refusal.
///
/// ```
/// use tidegate_sdk::{checkpoints, testing::{Cluster, checkpoint}};
/// let cluster = Cluster::new();
/// cluster.put(checkpoint("gpt", 100));
/// assert!(checkpoints::unpin("gpt", 100, "there is a better one").is_ok());
/// ```
pub fn unpin(run: &str, step: u64, reason: &str) -> Result<String, Refusal> {
    host::unpin(run, step, reason)
}

/// Asks to delete the checkpoint's bytes from one tier.
///
/// # Errors
/// The host's refusal; `would-lose-data` where safe prune stands against it.
///
/// ```
/// use tidegate_sdk::{Tier, checkpoints, testing::{Cluster, checkpoint}};
/// let cluster = Cluster::new();
/// cluster.put(checkpoint("gpt", 100));
/// assert!(checkpoints::prune("gpt", 100, Tier::Nvme, "not among the last 3").is_ok());
/// let refused = checkpoints::prune("gpt", 100, Tier::Object, "not among the last 3").unwrap_err();
/// assert_eq!(refused.class(), "unnecessary");
/// ```
pub fn prune(run: &str, step: u64, tier: Tier, reason: &str) -> Result<String, Refusal> {
    host::prune(run, step, tier, reason)
}

impl Checkpoint {
    /// What the trainer reported under this name.
    ///
    /// ```
    /// use tidegate_sdk::testing::{checkpoint, with_metric};
    /// let it = with_metric("loss", 2.5, checkpoint("gpt", 100));
    /// assert_eq!((it.metric("loss"), it.metric("bleu")), (Some(2.5), None));
    /// ```
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value)
    }

    /// Whether a tier holds every known shard of it, digests verified.
    ///
    /// ```
    /// use tidegate_sdk::{Tier, testing::checkpoint};
    /// assert!(checkpoint("gpt", 100).is_verified(Tier::Nvme));
    /// ```
    pub fn is_verified(&self, tier: Tier) -> bool {
        self.verified.contains(&tier)
    }

    /// Whether a tier holds any of its bytes.
    ///
    /// ```
    /// use tidegate_sdk::{Tier, testing::checkpoint};
    /// assert!(!checkpoint("gpt", 100).is_present(Tier::Object));
    /// ```
    pub fn is_present(&self, tier: Tier) -> bool {
        self.present.contains(&tier)
    }
}
