//! The functions of the contract, for one event.

use std::{any::Any, collections::BTreeSet};

use tidegate_core::{
    Asked, CalledOff, Checkpoint, Effect, EffectId, EffectKind, JobState, RandomStream, Refusal, RunName, Step, Tier,
    Timestamp, Verb, Verdict, Why, limits,
};
use tidegate_sandbox::{Calls, Deadline, MetricChange};

use super::{EventCalls, unavailable};
use crate::bots::wakes::Wake;

/// Runs in one answer.
const RUNS: usize = 256;

impl Calls for EventCalls {
    fn begin(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }

    fn log_lines(&self) -> usize {
        self.lines
    }

    fn runs(&mut self, after: Option<RunName>) -> Result<Vec<RunName>, Refusal> {
        let (mut found, mut after) = (Vec::new(), after);
        // Runs that it may not see are passed over, page by page.
        loop {
            self.check_time()?;
            let page = self.view.runs_ever(after.as_ref(), RUNS).map_err(unavailable)?;
            let (full, last) = (page.len() == RUNS, page.last().cloned());
            for run in page.into_iter().filter(|run| self.who.grants.may_read(run)) {
                if found.len() < RUNS && self.was_there(&run)? {
                    found.push(run);
                }
            }
            if !full || found.len() == RUNS {
                return Ok(found);
            }
            after = last;
        }
    }

    fn list(
        &mut self,
        run: RunName,
        before: Option<Step>,
        limit: u32,
    ) -> Result<(Vec<Checkpoint>, Option<Step>), Refusal> {
        let answer = self.check_read(&run);
        self.told(answer)?;
        let (mut items, mut next) = (Vec::new(), None);
        let (limit, event, deadline) = (limit as usize, self.event.seq, self.deadline.clone());
        let read = self.view.checkpoints_since(&run, before, event, |checkpoint| {
            if let Some(then) = checkpoint.as_of(event) {
                if items.len() == limit {
                    next = items.last().map(|last: &Checkpoint| last.step);
                    return false;
                }
                items.push(then);
            }
            !deadline.passed()
        });
        read.map_err(unavailable)?;
        self.check_time()?;
        Ok((items, next))
    }

    fn get(&mut self, run: RunName, step: Step) -> Result<Option<Checkpoint>, Refusal> {
        let answer = self.check_read(&run);
        self.told(answer)?;
        let found = self.view.checkpoint(&run, step).map_err(unavailable)?;
        Ok(found.and_then(|checkpoint| checkpoint.as_of(self.event.seq)))
    }

    fn plan_prune(&mut self, run: RunName, steps: Vec<Step>, tier: Tier) -> Result<Vec<Verdict>, Refusal> {
        let kind = EffectKind::Prune { tier };
        let answer = self.who.grants.allow(&run, &kind);
        self.told(answer)?;
        let mut verdicts = Vec::new();
        for step in steps {
            self.check_time()?;
            let effect = Effect { run: run.clone(), step, kind: kind.clone(), reason: String::new() };
            let said = if self.doing(&effect) {
                Err(Refusal::new(Why::Unnecessary, "it was asked for already"))
            } else {
                self.guard(&effect)
            };
            verdicts.push(match said {
                Ok(because) => Verdict { step, allowed: true, because },
                Err(refusal) => Verdict { step, allowed: false, because: refusal.message },
            });
        }
        Ok(verdicts)
    }

    fn effect(&mut self, effect: Effect) -> Result<EffectId, Refusal> {
        let answer = self.judge(&effect);
        let answer = self.told(answer);
        let said = answer.as_ref().err().map_or(0, |refusal| refusal.message.len());
        if self.records(effect.reason.len() + effect.run.as_str().len() + said)
            && let Some(asked) = &mut self.asked
        {
            asked.push(Asked { effect, answer: answer.clone() });
        }
        answer
    }

    fn status(&mut self, effect: EffectId) -> Result<Option<JobState>, Refusal> {
        Ok(self.job(&effect)?.map(|(state, _)| state))
    }

    fn cancel(&mut self, effect: EffectId, reason: String) -> Result<(), Refusal> {
        let answer = self.judge_cancel(&effect);
        let answer = self.told(answer);
        let said = answer.as_ref().err().map_or(0, |refusal| refusal.message.len());
        if self.records(reason.len() + effect.as_str().len() + said) {
            let answer = answer.as_ref().map(|_| ()).map_err(Refusal::clone);
            self.called_off.push(CalledOff { effect: effect.clone(), reason: reason.clone(), answer });
        }
        self.own.cancels.push((effect, reason, answer?));
        Ok(())
    }

    fn state_get(&mut self, key: &str) -> Result<Option<Vec<u8>>, Refusal> {
        self.state(key)
    }

    fn state_set(&mut self, key: &str, value: Vec<u8>) -> Result<(), Refusal> {
        let answer = self.write_state(key, Some(value));
        self.told(answer)
    }

    fn state_delete(&mut self, key: &str) -> Result<(), Refusal> {
        let answer = self.write_state(key, None);
        self.told(answer)
    }

    fn state_keys(&mut self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<String>, Refusal> {
        self.check_time()?;
        let fits = |key: &str| key.starts_with(prefix) && after.is_none_or(|after| key > after);
        let limit = limit as usize;
        // Some stored keys may have been removed since: read that many more.
        let enough = limit + self.group.state.len() + self.own.state.len();
        let stored = self.ground.keys(&self.view, &self.who.name, prefix, after, enough);
        let mut keys: BTreeSet<String> = stored.map_err(unavailable)?.into_iter().collect();
        for (key, value) in self.group.state.iter().chain(&self.own.state).filter(|(key, _)| fits(key)) {
            if value.is_some() {
                keys.insert(key.clone());
            } else {
                keys.remove(key);
            }
        }
        Ok(keys.into_iter().take(limit).collect())
    }

    fn wake_at(&mut self, time: Timestamp, key: &str, reason: String) -> Result<(), Refusal> {
        let answer = self.judge_wake(key);
        self.told(answer)?;
        self.own.ledger.count(Verb::Wake, 0);
        self.waking()?.insert(key.to_owned());
        self.own.wakes.insert(key.to_owned(), Some(Wake::at(time, reason)));
        Ok(())
    }

    fn cancel_wake(&mut self, key: &str) -> Result<(), Refusal> {
        let answer = self.spend_effect();
        self.told(answer)?;
        self.own.ledger.count(Verb::Wake, 0);
        self.own.wakes.insert(key.to_owned(), None);
        if let Some(keys) = &mut self.waking {
            keys.remove(key);
        }
        Ok(())
    }

    fn random(&mut self, into: &mut [u8]) -> Result<(), Refusal> {
        let fresh = || RandomStream::new(&self.who.name, self.event.seq);
        self.random.get_or_insert_with(fresh).fill(into);
        Ok(())
    }

    fn metric(&mut self, name: &str, change: MetricChange) -> Result<(), Refusal> {
        let mut known = self.ground.metrics.clone();
        known.extend(self.group.metrics.clone());
        if !self.own.metric_fits(name, &known) {
            let said = format!("a bot has at most {} metrics", limits::BOT_METRICS);
            return self.told(Err(Refusal::new(Why::OverQuota, said)));
        }
        let before = self.own.metrics.get(name).or_else(|| known.get(name)).copied().unwrap_or_default();
        let value = match change {
            MetricChange::Set(value) => value,
            MetricChange::Add(by) => (before + by).min(f64::MAX),
        };
        self.own.metrics.insert(name.to_owned(), value);
        Ok(())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
