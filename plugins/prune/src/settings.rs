//! What the operator may set.

use tidegate_sdk::{Tier, settings};

/// Which checkpoints stay: those that any of the rules wants.
#[settings]
#[derive(Debug, Clone, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The newest so many complete ones; 1 or more.
    #[schemars(range(min = 1))]
    pub keep_last: usize,
    /// Steps that are a multiple of this; 0 for none.
    pub keep_every: u64,
    /// The best ones by a metric.
    pub keep_best: Option<KeepBest>,
    /// The tiers that are pruned, each by the same rules.
    #[schemars(length(min = 1))]
    pub tiers: Vec<Tier>,
    /// On NVMe, also wait until object storage has a verified copy.
    pub wait_for_copy: bool,
}

/// The best so many by a metric.
#[settings]
#[derive(Debug, Clone, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct KeepBest {
    /// The metric's name, as the trainer reports it.
    #[schemars(length(min = 1, max = 64))]
    pub metric: String,
    /// Whether small or large is good.
    #[serde(default)]
    pub mode: Mode,
    /// How many.
    #[schemars(range(min = 1))]
    #[serde(default = "one")]
    pub count: usize,
}

/// What makes a metric good.
#[settings]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Small, such as a loss.
    #[default]
    Min,
    /// Large, such as an accuracy.
    Max,
}

fn one() -> usize {
    1
}

impl Default for Settings {
    fn default() -> Self {
        Self { keep_last: 3, keep_every: 0, keep_best: None, tiers: vec![Tier::Nvme], wait_for_copy: true }
    }
}

impl Settings {
    /// Refuses what can't be meant.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.keep_last == 0 {
            return Err("`keep_last` is 1 or more: the newest checkpoint is never pruned".into());
        }
        if self.tiers.is_empty() {
            return Err("`tiers` names no tier: give [\"nvme\"], [\"object\"] or both".into());
        }
        match &self.keep_best {
            Some(best) if !(1..=64).contains(&best.metric.len()) || best.metric.contains(char::is_control) => {
                Err("`keep_best.metric` is no metric's name: 1 to 64 bytes without control characters".into())
            }
            Some(best) if best.count == 0 => Err("`keep_best.count` is 1 or more: or leave `keep_best` out".into()),
            _ => Ok(()),
        }
    }
}
