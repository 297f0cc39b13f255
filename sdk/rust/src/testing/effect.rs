//! What a bot asked for, as a test looks at it.

use std::fmt;

use crate::{Tier, replication::Request};

/// An effect, with what was asked of it.
///
/// ```
/// use tidegate_sdk::testing::Effect;
/// let effect = Effect::Pin { run: "gpt".into(), step: 100, reason: "a round step".into() };
/// assert_eq!(effect.to_string(), "pin gpt step 100: a round step");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// See [`replicate`](crate::replication::replicate).
    Replicate(Request),
    /// See [`prune`](crate::checkpoints::prune).
    Prune {
        /// The run.
        run: String,
        /// The step.
        step: u64,
        /// From where.
        tier: Tier,
        /// Why.
        reason: String,
    },
    /// See [`pin`](crate::checkpoints::pin).
    Pin {
        /// The run.
        run: String,
        /// The step.
        step: u64,
        /// Why.
        reason: String,
    },
    /// See [`unpin`](crate::checkpoints::unpin).
    Unpin {
        /// The run.
        run: String,
        /// The step.
        step: u64,
        /// Why.
        reason: String,
    },
}

impl Effect {
    /// The run.
    ///
    /// ```
    /// use tidegate_sdk::testing::Effect;
    /// let effect = Effect::Pin { run: "gpt".into(), step: 100, reason: "a round step".into() };
    /// assert_eq!(effect.run(), "gpt");
    /// ```
    pub fn run(&self) -> &str {
        match self {
            Self::Replicate(Request { run, .. })
            | Self::Prune { run, .. }
            | Self::Pin { run, .. }
            | Self::Unpin { run, .. } => run,
        }
    }

    /// The step.
    ///
    /// ```
    /// use tidegate_sdk::testing::Effect;
    /// let effect = Effect::Pin { run: "gpt".into(), step: 100, reason: "a round step".into() };
    /// assert_eq!(effect.step(), 100);
    /// ```
    pub fn step(&self) -> u64 {
        match self {
            Self::Replicate(Request { step, .. })
            | Self::Prune { step, .. }
            | Self::Pin { step, .. }
            | Self::Unpin { step, .. } => *step,
        }
    }

    /// Why.
    ///
    /// ```
    /// use tidegate_sdk::testing::Effect;
    /// let effect = Effect::Pin { run: "gpt".into(), step: 100, reason: "a round step".into() };
    /// assert_eq!(effect.reason(), "a round step");
    /// ```
    pub fn reason(&self) -> &str {
        match self {
            Self::Replicate(Request { reason, .. })
            | Self::Prune { reason, .. }
            | Self::Pin { reason, .. }
            | Self::Unpin { reason, .. } => reason,
        }
    }
}

impl Effect {
    /// Whether it is carried out by a job. Pins hold with the handler's commit.
    pub(super) fn is_job(&self) -> bool {
        matches!(self, Self::Replicate(_) | Self::Prune { .. })
    }

    /// Whether it asks for the same as another, whatever the reason.
    pub(super) fn does_the_same(&self, other: &Self) -> bool {
        let kind = match (self, other) {
            (Self::Replicate(one), Self::Replicate(other)) => one.target == other.target,
            (Self::Prune { tier, .. }, Self::Prune { tier: other, .. }) => tier == other,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        };
        kind && self.run() == other.run() && self.step() == other.step()
    }
}

/// Such as `prune gpt step 100 from nvme: not among the last 3`.
impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (run, step, reason) = (self.run(), self.step(), self.reason());
        match self {
            Self::Replicate(request) => write!(f, "replicate {run} step {step} to {}: {reason}", request.target),
            Self::Prune { tier, .. } => write!(f, "prune {run} step {step} from {tier}: {reason}"),
            Self::Pin { .. } => write!(f, "pin {run} step {step}: {reason}"),
            Self::Unpin { .. } => write!(f, "unpin {run} step {step}: {reason}"),
        }
    }
}
