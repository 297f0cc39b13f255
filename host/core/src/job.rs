//! An accepted effect on its way: a small state machine that is written down at every turn.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{BotName, Effect, EffectId, EffectKind, Seq, Timestamp, retry::Backoff};

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
    /// Its deadline has passed, and what kept it until then.
    Late(Held),
}

/// What kept a job when its deadline passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// It was accepted only then: the bot was behind.
    Acceptance,
    /// Another job of its checkpoint was being carried out.
    Checkpoint,
    /// Its time or its turn had not come: others came first, or the host was down.
    Turn,
    /// It was being carried out, and did not come to its end.
    Work,
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Acceptance => "it was accepted later",
            Self::Checkpoint => "another job of its checkpoint was being carried out",
            Self::Turn => "its turn had not come",
            Self::Work => "it was being carried out",
        })
    }
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
    /// The last place of the journal when it was written down: what came later came after it.
    #[serde(default)]
    pub since: Seq,
    /// The place in the journal where it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Seq>,
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
        let (created, updated, accepted, since, ended) = (now, now, at, at, None);
        Self { id, by, effect, state, created, updated, not_before, failures, bytes, detail, accepted, since, ended }
    }

    /// Where it stood at a place in the journal: what has not ended by then is queued, whatever it was doing. None if it
    /// was accepted later.
    pub fn as_of(&self, place: Seq) -> Option<JobState> {
        let ended = self.state.ended() && self.ended.is_none_or(|ended| ended <= place);
        (self.accepted <= place).then_some(if ended { self.state } else { JobState::Queued })
    }

    /// Whether a bot that handles the event at this place has to reckon with it: it was there, and had not ended. Of the
    /// bot's own jobs those of earlier events count, whenever they were written down.
    pub fn open_for(&self, bot: &BotName, place: Seq) -> bool {
        let there = if self.by == bot.as_str() { self.accepted < place } else { self.since < place };
        there && !(self.state.ended() && self.ended.is_none_or(|ended| ended <= place))
    }

    /// When it gives up, if it was asked to.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.effect.kind {
            EffectKind::Replicate { deadline, .. } => deadline,
            _ => None,
        }
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
            Outcome::Late(held) => {
                self.state = JobState::Failed;
                // After tries that failed it is they that kept it.
                let kept = if self.failures == 0 { held.to_string() } else { std::mem::take(&mut self.detail) };
                self.detail = format!("its deadline has passed: {kept}");
            }
            Outcome::Retry(why) => {
                self.failures += 1;
                if self.failures >= TRIES {
                    self.state = JobState::Failed;
                    self.detail = format!("gave up after {TRIES} tries: {why}");
                } else if self.deadline().is_some_and(|deadline| now >= deadline) {
                    self.state = JobState::Failed;
                    self.detail = format!("its deadline has passed: {why}");
                } else {
                    self.state = JobState::Queued;
                    let next = now.after(BACKOFF.after(self.failures, self.id.as_str().as_bytes()));
                    self.not_before = self.deadline().map_or(next, |deadline| next.min(deadline));
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
        let (not_before, deadline, rate) = (Timestamp(5), None, None);
        let kind = EffectKind::Replicate { target: "t".parse().unwrap(), not_before, deadline, rate, priority };
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
    fn a_job_gives_up_at_its_deadline_and_waits_no_longer_for_a_try() {
        let mut job = job(1, 5);
        let EffectKind::Replicate { deadline, .. } = &mut job.effect.kind else { unreachable!() };
        *deadline = Some(Timestamp(1_000));
        job.conclude(Outcome::Retry("down".into()), Timestamp(900));
        assert_eq!((job.state, job.not_before), (JobState::Queued, Timestamp(1_000)));
        let mut tried = job.clone();
        tried.conclude(Outcome::Retry("down".into()), Timestamp(1_000));
        assert_eq!((tried.state, tried.detail.as_str()), (JobState::Failed, "its deadline has passed: down"));
        job.conclude(Outcome::Late(Held::Turn), Timestamp(1_000));
        assert_eq!((job.state, &job.detail), (tried.state, &tried.detail));
    }

    #[test]
    fn the_past_of_a_job_knows_nothing_of_its_end() {
        let mut job = job(1, 5);
        assert_eq!((job.as_of(0), job.as_of(1)), (None, Some(JobState::Queued)));
        job.conclude(Outcome::Failed("gone".into()), Timestamp(9));
        job.ended = Some(7);
        assert_eq!((job.as_of(6), job.as_of(7)), (Some(JobState::Queued), Some(JobState::Failed)));
    }

    #[test]
    fn a_bot_reckons_with_the_jobs_that_were_there_before_its_event() {
        let (own, other): (BotName, BotName) = ("operator".parse().unwrap(), "b".parse().unwrap());
        let mut job = Job { accepted: 3, since: 8, ..job(1, 5) };
        assert_eq!([3, 4, 9].map(|place| job.open_for(&own, place)), [false, true, true]);
        assert_eq!([4, 8, 9].map(|place| job.open_for(&other, place)), [false, false, true]);
        job.conclude(Outcome::Failed("gone".into()), Timestamp(9));
        job.ended = Some(12);
        assert_eq!([11, 12].map(|place| job.open_for(&other, place)), [true, false]);
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
