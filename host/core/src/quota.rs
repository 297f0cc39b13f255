//! What a bot has used up of quotas that are counted over time: by the time of its events, so that a replay counts alike.

use serde::{Deserialize, Serialize};

use crate::{Grants, Refusal, Timestamp, Why};

const MINUTE: u64 = 60 * 1_000_000_000;
const DAY: u64 = 24 * 60 * MINUTE;

/// What was used of the minute and of the day (UTC) that the last event fell into.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spent {
    minute: u64,
    effects: u32,
    day: u64,
    bytes: u64,
}

impl Spent {
    /// The time from which on nothing that was used is forgotten: an event that is handled long after its own time is
    /// counted there.
    pub fn latest(&self) -> Timestamp {
        Timestamp(self.minute.saturating_mul(MINUTE).max(self.day.saturating_mul(DAY)))
    }

    /// Takes one more effect at `now`.
    ///
    /// # Errors
    /// `over-quota` if the minute is full.
    pub fn effect(&mut self, now: Timestamp, grants: &Grants) -> Result<(), Refusal> {
        let (minute, most) = (now.0 / MINUTE, grants.effects_per_minute());
        let used = if minute == self.minute { self.effects } else { 0 };
        if used >= most {
            return Err(Refusal::new(Why::OverQuota, format!("grant `effects_per_minute` is {most}: used up")));
        }
        (self.minute, self.effects) = (minute, used + 1);
        Ok(())
    }

    /// Takes bytes to ship at `now`.
    ///
    /// # Errors
    /// `over-quota` if they are more than what is left of the day.
    pub fn ship(&mut self, now: Timestamp, bytes: u64, grants: &Grants) -> Result<(), Refusal> {
        let day = now.0 / DAY;
        let used = if day == self.day { self.bytes } else { 0 };
        let sum = used.saturating_add(bytes);
        if let Some(most) = grants.bytes_per_day.filter(|most| sum > *most) {
            let said = format!("grant `bytes_per_day` is {most}: {used} are used, this is {bytes} more");
            return Err(Refusal::new(Why::OverQuota, said));
        }
        (self.day, self.bytes) = (day, sum);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_and_a_day_begin_anew() {
        let grants = Grants { effects_per_minute: Some(2), bytes_per_day: Some(10), ..Grants::default() };
        let mut spent = Spent::default();
        assert!(spent.effect(Timestamp(5), &grants).is_ok() && spent.effect(Timestamp(6), &grants).is_ok());
        assert_eq!(spent.effect(Timestamp(MINUTE - 1), &grants).unwrap_err().why, Why::OverQuota);
        assert!(spent.effect(Timestamp(MINUTE), &grants).is_ok());
        assert!(spent.ship(Timestamp(5), 6, &grants).is_ok() && spent.ship(Timestamp(5), 5, &grants).is_err());
        assert!(spent.ship(Timestamp(5), 4, &grants).is_ok(), "what was refused is not counted");
        assert!(spent.ship(Timestamp(DAY), 10, &grants).is_ok());
        assert!(spent.ship(spent.latest(), 1, &grants).is_err(), "nothing is forgotten");
    }
}
