//! Accepted effects of a scenario on their way: in the host's order, tried again as a host does.

use std::{cmp::Reverse, time::Duration};

use super::{
    copies::{Trouble, attempt, backoff},
    sim::{Action, Sim},
};
use crate::{
    JobOutcome, Occurrence, Pruned, Refusal, Replicated, Tier,
    replication::{JobState, Request},
    testing::{Asked, Effect, Ended},
};

/// Copies of one host at once.
const UPLOADS: usize = 4;

/// An accepted effect.
pub(super) struct Job {
    /// Its place in the record.
    asked: usize,
    bot: usize,
    pub(super) id: String,
    pub(super) effect: Effect,
    /// Nanoseconds from the beginning.
    not_before: u64,
    failures: u32,
    running: bool,
}

/// How a try ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Done(String),
    Again(&'static str),
    Failed(String),
}

impl Job {
    fn is_copy(&self) -> bool {
        matches!(self.effect, Effect::Replicate(_))
    }

    /// Its place in the queue, the smallest first: priority, what makes room, the newest step, age.
    fn turn(&self, number: u64) -> impl Ord + use<> {
        let priority = match &self.effect {
            Effect::Replicate(Request { priority, .. }) => *priority,
            _ => 9,
        };
        (Reverse(priority), !matches!(self.effect, Effect::Prune { .. }), Reverse(self.effect.step()), number)
    }
}

impl Sim {
    /// Takes an effect in that a committed handler asked for.
    pub(super) fn accept(&mut self, host: usize, bot: usize, id: String, effect: Effect) {
        let not_before = match &effect {
            Effect::Replicate(request) => request.not_before.saturating_sub(super::host::EPOCH).max(self.now),
            _ => self.now,
        };
        let number = self.ordinal();
        let asked = self.record.asked.len();
        let (at, name, host_name) = (self.elapsed(), self.bot_name(bot), self.host_name(host));
        // A pin holds from now on: there is no job, and nobody is told of its end.
        let pin = matches!(effect, Effect::Pin { .. } | Effect::Unpin { .. });
        let ended = pin.then(|| Ended { at, ok: true, detail: "done".to_owned() });
        self.record.asked.push(Asked { at, host: host_name, bot: name, effect: effect.clone(), ended });
        if pin {
            if let Some(it) = self.hosts.get_mut(host) {
                it.world.carry_out(&effect);
            }
            return;
        }
        if let Some(it) = self.hosts.get_mut(host) {
            it.jobs.insert(number, Job { asked, bot, id, effect, not_before, failures: 0, running: false });
        }
        self.plan_at(not_before, Action::Start { host });
    }

    /// Why a job must not go on, if so: its bot has called it off, or its deadline has passed.
    fn stopped(&self, host: usize, job: &Job) -> Option<&'static str> {
        let state = self.hosts.get(host)?.cursors.get(job.bot)?.jobs.get(&job.id);
        let deadline = match &job.effect {
            Effect::Replicate(request) => request.deadline,
            _ => None,
        };
        match state {
            Some(JobState::Cancelled) => Some("called off by its bot"),
            _ if deadline.is_some_and(|it| it <= super::host::EPOCH + self.now) => Some("its deadline has passed"),
            _ => None,
        }
    }

    /// Whether there is such a job.
    pub(super) fn some_stopped(&self, host: usize) -> bool {
        self.hosts.get(host).is_some_and(|it| it.jobs.values().any(|job| self.stopped(host, job).is_some()))
    }

    /// Starts what has its time and its turn.
    pub(super) fn start(&mut self, host: usize) {
        let waiting = self.hosts.get(host).into_iter().flat_map(|it| &it.jobs).filter(|(_, job)| !job.running);
        let stopped: Vec<_> =
            waiting.filter_map(|(number, job)| self.stopped(host, job).map(|why| (*number, why))).collect();
        for (number, why) in stopped {
            self.finish(host, number, Err(why.to_owned()));
        }
        loop {
            let now = self.now;
            let Some(it) = self.hosts.get_mut(host) else { return };
            let copying = it.jobs.values().filter(|job| job.running && job.is_copy()).count();
            let sealed = |job: &Job| {
                let known = it.world.checkpoints.get(&(job.effect.run().to_owned(), job.effect.step()));
                known.is_none_or(|known| known.is_verified(Tier::Nvme) || !known.is_present(Tier::Nvme))
            };
            let ready = it.jobs.iter().filter(|(_, job)| !job.running && job.not_before <= now);
            let ready = ready.filter(|(_, job)| !job.is_copy() || (copying < UPLOADS && sealed(job)));
            let Some(number) = ready.min_by_key(|(number, job)| job.turn(**number)).map(|(number, _)| *number) else {
                return;
            };
            self.begin(host, number, copying);
        }
    }

    fn begin(&mut self, host: usize, number: u64, copying: usize) {
        let Some(it) = self.hosts.get_mut(host) else { return };
        let Some(job) = it.jobs.get_mut(&number) else { return };
        job.running = true;
        let key = (job.effect.run().to_owned(), job.effect.step());
        let (ends, trouble) = match it.world.checkpoints.get(&key).filter(|_| job.is_copy()) {
            Some(known) if known.is_verified(Tier::Nvme) => {
                let it = attempt(&self.plan, &mut self.dice, self.now, known.bytes, copying + 1, self.at_target);
                self.at_target += 1;
                self.record.most_copies = self.record.most_copies.max(self.at_target);
                (it.ends, Some(it.result))
            }
            _ => (self.now + self.dice.about(Duration::from_millis(20)), None),
        };
        if trouble.is_some()
            && let Some(guard) = self.hosts.get_mut(host).and_then(|it| it.world.guard.as_mut())
        {
            guard.read.push(key);
        }
        self.plan_at(ends, Action::End { host, job: number, copied: trouble });
    }

    /// A try has ended.
    pub(super) fn end(&mut self, host: usize, number: u64, copied: Option<Result<(), Trouble>>) {
        let Some(job) = self.hosts.get_mut(host).and_then(|it| it.jobs.get_mut(&number)) else { return };
        job.running = false;
        let (effect, failures) = (job.effect.clone(), job.failures + 1);
        if copied.is_some() {
            self.at_target = self.at_target.saturating_sub(1);
            if let Some(guard) = self.hosts.get_mut(host).and_then(|it| it.world.guard.as_mut()) {
                let key = (effect.run().to_owned(), effect.step());
                guard.read.iter().position(|it| *it == key).map(|nth| guard.read.swap_remove(nth));
            }
        }
        let stopped = self.hosts.get(host).and_then(|it| it.jobs.get(&number)).and_then(|job| self.stopped(host, job));
        if let Some(why) = stopped {
            self.finish(host, number, Err(why.to_owned()));
            return;
        }
        let detail = match self.conclude(host, &effect, copied) {
            Outcome::Again(_) if failures < self.plan.tries => {
                let again = self.now + backoff(&mut self.dice, failures);
                if let Some(job) = self.hosts.get_mut(host).and_then(|it| it.jobs.get_mut(&number)) {
                    (job.failures, job.not_before) = (failures, again);
                }
                self.plan_at(again, Action::Start { host });
                self.plan_at(self.now, Action::Start { host });
                return;
            }
            Outcome::Again(why) => Err(format!("gave up after {failures} tries: {why}")),
            Outcome::Failed(why) => Err(why),
            Outcome::Done(detail) => Ok(detail),
        };
        self.finish(host, number, detail);
    }

    /// Does what was asked, if the guard still lets it.
    fn conclude(&mut self, host: usize, effect: &Effect, copied: Option<Result<(), Trouble>>) -> Outcome {
        let key = (effect.run().to_owned(), effect.step());
        let Some(it) = self.hosts.get_mut(host) else { return Outcome::Failed("there is no such host".into()) };
        let Some(known) = it.world.checkpoints.get(&key) else {
            return Outcome::Done("nothing left to do: the checkpoint is not known any more".into());
        };
        let bytes = known.bytes;
        match (effect, copied) {
            (Effect::Replicate(_), None) => Outcome::Failed("its bytes are not on this host's NVMe any more".into()),
            (Effect::Replicate(_), Some(Err(trouble))) => {
                self.record.throttled += u64::from(trouble == Trouble::Throttled);
                Outcome::Again(trouble.words())
            }
            (Effect::Replicate(request), Some(Ok(()))) => {
                self.copied(host, request.step, &request.target);
                Outcome::Done(format!("{bytes} bytes verified on {}", request.target))
            }
            (Effect::Prune { tier, .. }, _) => {
                let guard = it.world.guard.as_ref();
                match guard.map_or(Ok(()), |guard| guard.admit_prune(&it.world, known, *tier)) {
                    Err(Refusal::Unnecessary(_)) => Outcome::Done("nothing left to do".into()),
                    Err(Refusal::Unavailable(_)) => Outcome::Again("it is being read"),
                    Err(refusal) => Outcome::Failed(format!("the guard refused it when it ran: {}", refusal.message())),
                    Ok(()) => {
                        self.pruned(host, effect, *tier);
                        Outcome::Done(format!("{bytes} bytes freed on {tier}"))
                    }
                }
            }
            (Effect::Pin { .. } | Effect::Unpin { .. }, _) => Outcome::Failed("pins are no jobs".into()),
        }
    }

    /// A verified copy of a checkpoint is on the object tier.
    pub(super) fn copied(&mut self, host: usize, step: u64, target: &str) {
        self.expose(host);
        let now = self.now;
        let Some(it) = self.hosts.get_mut(host) else { return };
        let Some(known) = it.world.checkpoints.get_mut(&(it.run.clone(), step)) else { return };
        if known.is_verified(Tier::Object) {
            return;
        }
        known.verified.push(Tier::Object);
        known.present.push(Tier::Object);
        let (run, target, bytes) = (it.run.clone(), target.to_owned(), known.bytes);
        it.journal(now, &Occurrence::CheckpointReplicated(Replicated { run, step, target, bytes }), None);
    }

    fn pruned(&mut self, host: usize, effect: &Effect, tier: Tier) {
        let now = self.now;
        let Some(it) = self.hosts.get_mut(host) else { return };
        let key = (effect.run().to_owned(), effect.step());
        let Some(known) = it.world.checkpoints.get(&key).cloned() else { return };
        it.world.carry_out(effect);
        let bytes = known.bytes;
        if known.complete && !it.world.checkpoints.contains_key(&key) {
            self.record.bytes_lost += bytes;
        }
        it.journal(now, &Occurrence::CheckpointPruned(Pruned { run: key.0, step: key.1, tier, bytes }), None);
        self.expose(host);
    }

    /// Tells the bot that asked.
    fn finish(&mut self, host: usize, number: u64, detail: Result<String, String>) {
        let (at, now) = (self.elapsed(), self.now);
        let Some(it) = self.hosts.get_mut(host) else { return };
        let Some(job) = it.jobs.remove(&number) else { return };
        let ok = detail.is_ok();
        if let Some(state) = it.cursors.get_mut(job.bot).and_then(|cursor| cursor.jobs.get_mut(&job.id))
            && *state == JobState::Open
        {
            *state = if ok { JobState::Done } else { JobState::Failed };
        }
        let detail = detail.unwrap_or_else(|why| why);
        if let Some(asked) = self.record.asked.get_mut(job.asked) {
            asked.ended = Some(Ended { at, ok, detail: detail.clone() });
        }
        let (run, step) = (job.effect.run().to_owned(), job.effect.step());
        let outcome = JobOutcome { effect: job.id, run, step, ok, detail };
        it.journal(now, &Occurrence::JobFinished(outcome), Some(job.bot));
        self.plan_at(now, Action::Start { host });
        self.pump(host);
    }
}
