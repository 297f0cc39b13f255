//! The object tier of a scenario: how long a copy takes, and what may go wrong with it.

use std::time::Duration;

use super::{
    Plan,
    dice::{Dice, nanos},
};

/// After so long without an answer a try has failed.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How a try of a copy will end, and when: nanoseconds from the beginning.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Try {
    pub(super) ends: u64,
    pub(super) result: Result<(), Trouble>,
}

/// Why a copy did not arrive. The host tries it again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The object tier has too many copies at once.
    Throttled,
    /// It does not answer.
    Away,
}

impl Trouble {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Throttled => "the object tier says: slow down",
            Self::Away => "the object tier does not answer",
        }
    }
}

/// A try that begins now: `own` copies of the host, with this one, share its link; `others` are at the object tier.
pub(super) fn attempt(plan: &Plan, dice: &mut Dice, now: u64, bytes: u64, own: usize, others: usize) -> Try {
    let latency = dice.about(Duration::from_millis(150));
    let (from, to) = plan.outage.map_or((u64::MAX, u64::MAX), |(from, to)| (nanos(from), nanos(to)));
    if (from..to).contains(&now) {
        return Try { ends: now + nanos(TIMEOUT), result: Err(Trouble::Away) };
    }
    if others >= plan.target_copies {
        return Try { ends: now + latency, result: Err(Trouble::Throttled) };
    }
    let sending = u128::from(bytes) * own.max(1) as u128 * 1_000_000_000 / u128::from(plan.link);
    let ends = now.saturating_add(latency).saturating_add(u64::try_from(sending).unwrap_or(u64::MAX));
    if (now..ends).contains(&from) {
        return Try { ends: from.saturating_add(nanos(TIMEOUT)), result: Err(Trouble::Away) };
    }
    Try { ends, result: Ok(()) }
}

/// How long a job waits after so many failures, nanoseconds: as the host's jobs do.
pub(super) fn backoff(dice: &mut Dice, failures: u32) -> u64 {
    let most = Duration::from_millis(500).saturating_mul(1 << failures.saturating_sub(1).min(20));
    dice.about(most.min(Duration::from_secs(300)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Scenario;

    const SECOND: u64 = 1_000_000_000;

    fn tried(scenario: Scenario, now: u64, own: usize, others: usize) -> Try {
        attempt(&scenario.plan, &mut Dice::new(1), now, 100, own, others)
    }

    #[test]
    fn the_copies_of_a_host_share_its_link() {
        let link = || Scenario::calm().link(10);
        assert_eq!(tried(link(), 0, 1, 0).ends / SECOND, 10);
        assert_eq!(tried(link(), 0, 3, 0).ends / SECOND, 30);
    }

    #[test]
    fn a_copy_fails_that_begins_in_an_outage_or_meets_one() {
        let (from, time) = (Duration::from_secs(100), Duration::from_secs(50));
        let away = || Scenario::calm().link(10).outage(from, time);
        for (now, ends, fails) in [(80, 90, false), (95, 130, true), (120, 150, true), (150, 160, false)] {
            let it = tried(away(), now * SECOND, 1, 0);
            assert_eq!((it.ends / SECOND, it.result.is_err()), (ends, fails), "{now}");
        }
    }

    #[test]
    fn one_too_many_is_told_to_come_later() {
        let full = tried(Scenario::calm().target_copies(3), 0, 1, 3);
        assert_eq!(full.result, Err(Trouble::Throttled));
        assert!(tried(Scenario::calm().target_copies(3), 0, 1, 2).result.is_ok());
    }
}
