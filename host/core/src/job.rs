//! An accepted effect on its way: a small state machine that is written down at every turn.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Effect, EffectId, EffectKind, Seq, Timestamp, retry::Backoff};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// Waits for its time or its turn. A job that ran when the host died is queued again.
    Queued,
    /// Is being carried out.
    Running,
    /// Did what was asked.
    Done,
    /// Gave up.
    Failed,
    /// Was called off.
    Cancelled,
}

impl JobState {
    /// Whether nothing more will happen.
    pub fn ended(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// How one try of a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done, with bytes moved and a word on how.
    Done {
        /// Bytes shipped or freed.
        bytes: u64,
        /// What was done.
        detail: String,
    },
    /// Did not work this time.
    Retry(String),
    /// Can never work.
    Failed(String),
}

/// An accepted effect being carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The effect's id.
    pub id: EffectId,
    /// A bot's name, or `operator`.
    pub by: String,
    /// What is asked.
    pub effect: Effect,
    /// Where it stands.
    pub state: JobState,
    /// When it was accepted.
    pub created: Timestamp,
    /// When its state last changed.
    pub updated: Timestamp,
    /// It does not start before.
    pub not_before: Timestamp,
    /// Tries that failed.
    pub failures: u32,
    /// Bytes shipped or freed so far.
    pub bytes: u64,
    /// What was done, or what went wrong last.
    pub detail: String,
    /// The place in the journal where it was accepted.
    pub accepted: Seq,
}

/// After this many failed tries a job gives up: with the backoff below, after some two days. A weekend's outage of the
/// object store is survived; who missed a copy even so is told when the host starts.
const TRIES: u32 = 800;
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(500), cap: Duration::from_secs(300) };

impl Job {
    /// A job that has just been accepted.
    pub fn accept(id: EffectId, by: String, effect: Effect, now: Timestamp, at: Seq) -> Self {
        let not_before = match effect.kind {
            EffectKind::Replicate { not_before, .. } => not_before.max(now),
            _ => now,
        };
        let (failures, bytes, detail) = Default::default();
        let state = JobState::Queued;
        Self { id, by, effect, state, created: now, updated: now, not_before, failures, bytes, detail, accepted: at }
    }

    /// Takes in how a try ended.
    pub fn conclude(&mut self, outcome: Outcome, now: Timestamp) {
        self.updated = now;
        match outcome {
            Outcome::Done { bytes, detail } => {
                self.state = JobState::Done;
                self.bytes = bytes;
                self.detail = detail;
            }
            Outcome::Failed(why) => {
                self.state = JobState::Failed;
                self.detail = why;
            }
            Outcome::Retry(why) => {
                self.failures += 1;
                if self.failures >= TRIES {
                    self.state = JobState::Failed;
                    self.detail = format!("gave up after {TRIES} tries: {why}");
                } else {
                    self.state = JobState::Queued;
                    self.not_before = now.after(BACKOFF.after(self.failures, self.id.as_str().as_bytes()));
                    self.detail = why;
                }
            }
        }
    }

    /// Where it stands in the queue: jobs with smaller keys go first. Priority, then the newest step (it shortens the
    /// recovery point more), then age. Deleting goes before copying at equal priority: it makes room.
    pub fn turn(&self) -> impl Ord + use<> {
        let priority = match self.effect.kind {
            EffectKind::Replicate { priority, .. } => priority.min(9),
            _ => 9,
        };
        let prunes_first = u8::from(!matches!(self.effect.kind, EffectKind::Prune { .. }));
        (9 - priority, prunes_first, u64::MAX - self.effect.step.get(), self.created)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(step: u64, priority: u8) -> Job {
        let kind = EffectKind::Replicate { target: "t".parse().unwrap(), not_before: Timestamp(5), priority };
        let effect = Effect { run: "r".parse().unwrap(), step: step.try_into().unwrap(), kind, reason: "x".into() };
        Job::accept(EffectId::of_operator(u128::from(step)), "operator".into(), effect, Timestamp(1), 1)
    }

    #[test]
    fn the_newest_of_the_highest_priority_goes_first() {
        let mut queue = [job(1, 5), job(3, 5), job(2, 9), job(9, 0)];
        queue.sort_by_key(Job::turn);
        assert_eq!(queue.map(|job| job.effect.step.get()), [2, 3, 1, 9]);
    }

    #[test]
    fn a_job_tries_again_later_and_gives_up_at_last() {
        let mut job = job(1, 5);
        assert_eq!(job.not_before, Timestamp(5));
        let mut last = Timestamp(5);
        while !job.state.ended() {
            last = job.not_before;
            job.conclude(Outcome::Retry("down".into()), last);
            assert!(job.state.ended() || job.not_before > last);
        }
        assert_eq!(job.state, JobState::Failed);
        assert!(last > Timestamp(24 * 3_600 * 1_000_000_000), "an outage of a day is survived");
    }
}
