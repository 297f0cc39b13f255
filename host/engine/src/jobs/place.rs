use std::{cmp::Reverse, fmt, str::FromStr};

use tidegate_core::{Code, EffectId, Job, Timestamp, quoted};

use crate::Error;

/// Where a job stands in a listing: those that have not ended first, the last accepted first; then those that have, the
/// last to end first. A job moves once, when it ends, and only towards the end: who pages through misses none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobPlace {
    ended: bool,
    at: Reverse<Timestamp>,
    id: EffectId,
}

impl JobPlace {
    /// Of a job as it is now.
    pub fn of(job: &Job) -> Self {
        let ended = job.state.ended();
        let at = if ended { job.updated } else { job.created };
        Self { ended, at: Reverse(at), id: job.id.clone() }
    }
}

/// A text that reads back, such as `1.1700000000000000000.<effect id>`.
impl fmt::Display for JobPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", u8::from(self.ended), self.at.0.0, self.id)
    }
}

impl FromStr for JobPlace {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let read = || {
            let (ended, rest) = text.split_once('.')?;
            let (at, id) = rest.split_once('.')?;
            let ended = ["0", "1"].iter().position(|flag| *flag == ended)? == 1;
            Some(Self { ended, at: Reverse(Timestamp(at.parse().ok()?)), id: id.parse().ok()? })
        };
        read().ok_or_else(|| Error::new(Code::BadRequest, format!("{} is no place in the list of jobs", quoted(text))))
    }
}

#[cfg(test)]
mod tests {
    use tidegate_core::{Effect, EffectKind, Outcome, Tier};

    use super::*;

    #[test]
    fn jobs_are_listed_open_first_and_places_read_back() {
        let job = |n: u64, ended: Option<u64>| {
            let kind = EffectKind::Prune { tier: Tier::Nvme };
            let effect = Effect { run: "r".parse().unwrap(), step: n.try_into().unwrap(), kind, reason: "x".into() };
            let id = EffectId::of_operator(u128::from(n));
            let mut job = Job::accept(id, "operator".into(), effect, Timestamp(n), 1);
            if let Some(at) = ended {
                job.conclude(Outcome::Failed("x".into()), Timestamp(at));
            }
            job
        };
        let mut jobs = [job(1, Some(90)), job(2, None), job(3, Some(80)), job(4, None)];
        jobs.sort_by_key(JobPlace::of);
        assert_eq!(jobs.each_ref().map(|job| job.effect.step.get()), [4, 2, 1, 3]);
        for job in &jobs {
            let place = JobPlace::of(job);
            assert_eq!(place.to_string().parse::<JobPlace>().unwrap(), place);
        }
        for bad in ["", "1", "2.5.x", "0.5", "0.x.y"] {
            assert!(bad.parse::<JobPlace>().is_err(), "{bad}");
        }
    }
}
