//! The passing of virtual time: what is planned, one thing after the other.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Plan, Seat,
    copies::Trouble,
    dice::{Dice, nanos},
    host::{Cursor, EPOCH, Handled, Host},
};
use crate::{
    Checkpoint, CheckpointRef, Error, Metric, Occurrence, ShardRef, Tier, Wake,
    testing::{Failed, Record, Refused},
};

/// Tries of an event before the bot is stopped.
const TRIES: u32 = 4;
/// Ranks of a run; all of them are on its host.
const RANKS: u32 = 2;
/// Handlers that may run before it is plain that a bot keeps itself busy.
const HANDLERS: u64 = 200_000;
const SECOND: u64 = 1_000_000_000;

/// What happens at a time.
pub(super) enum Action {
    /// A run saves.
    Save { host: usize },
    /// The digests of what was saved are made.
    Seal { host: usize, step: u64 },
    /// Another bot's copy of it has arrived.
    OtherCopy { host: usize, step: u64 },
    /// Jobs have their time or their turn.
    Start { host: usize },
    /// A try of a job ends; for a copy with how it went.
    End { host: usize, job: u64, copied: Option<Result<(), Trouble>> },
    /// A bot is woken.
    Wake { host: usize, bot: usize, key: String, due: u64 },
    /// A bot tries the event again that it failed on.
    Retry { host: usize, bot: usize },
}

pub(super) struct Sim {
    pub(super) plan: Plan,
    bots: Vec<Seat>,
    pub(super) hosts: Vec<Host>,
    /// Nanoseconds from the beginning.
    pub(super) now: u64,
    planned: BTreeMap<(u64, u64), Action>,
    ordinal: u64,
    pub(super) dice: Dice,
    /// Copies under way, over all hosts.
    pub(super) at_target: usize,
    pub(super) record: Record,
}

impl Sim {
    pub(super) fn new(plan: Plan, bots: Vec<Seat>) -> Self {
        let hosts = (0..plan.hosts).map(|nth| Host::new(nth, bots.len(), plan.seed)).collect();
        let record = Record { scenario: plan.name, seed: plan.seed, ..Record::default() };
        let dice = Dice::new(plan.seed);
        Self { plan, bots, hosts, now: 0, planned: BTreeMap::new(), ordinal: 0, dice, at_target: 0, record }
    }

    pub(super) fn run(mut self) -> Result<Record, Error> {
        for host in 0..self.hosts.len() {
            self.tell(host, &Occurrence::Started, None);
            let wait =
                if self.plan.together { nanos(self.plan.every) } else { self.dice.below(nanos(self.plan.every)) };
            self.plan_at(wait, Action::Save { host });
        }
        let end = nanos(self.plan.lasts.saturating_add(self.plan.settles));
        while let Some(((time, _), action)) = self.planned.pop_first() {
            if time > end {
                break;
            }
            self.now = time;
            self.act(action);
            if self.record.events > HANDLERS {
                return Err(Error::new(format_args!(
                    "{HANDLERS} events by {} s, and no end: does a bot answer its own events with what makes more?",
                    time / SECOND
                )));
            }
        }
        self.now = end;
        (0..self.hosts.len()).for_each(|host| self.expose(host));
        self.record.bytes_at_risk = self.hosts.iter().map(Host::at_risk).sum();
        Ok(self.record)
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Save { host } => self.save(host),
            Action::Seal { host, step } => self.seal(host, step),
            Action::OtherCopy { host, step } => {
                self.copied(host, step, "default");
                self.pump(host);
            }
            Action::Start { host } => self.start(host),
            Action::End { host, job, copied } => self.end(host, job, copied),
            Action::Wake { host, bot, key, due } => self.wake(host, bot, key, due),
            Action::Retry { host, bot } => {
                if let Some(cursor) = self.hosts.get_mut(host).and_then(|it| it.cursors.get_mut(bot)) {
                    cursor.waits = false;
                }
                self.pump(host);
            }
        }
    }

    /// The trainer of a host saves, if there is room.
    fn save(&mut self, host: usize) {
        let (now, every) = (self.now, nanos(self.plan.every));
        let bytes = self.plan.bytes + self.dice.below(self.plan.bytes / 10);
        let loss = 10.0 / (1.0 + now as f64 / (600 * SECOND) as f64) + self.dice.below(100) as f64 / 1000.0;
        let sealed = now + self.dice.about(Duration::from_secs(2));
        let Some(it) = self.hosts.get_mut(host) else { return };
        it.saves += 1;
        let (run, step) = (it.run.clone(), it.saves * 1000);
        if now.saturating_add(every) <= nanos(self.plan.lasts) {
            self.plan_at(now + every, Action::Save { host });
        }
        let Some(it) = self.hosts.get_mut(host) else { return };
        if it.used().saturating_add(bytes) > self.plan.disk {
            self.record.saves_refused += 1;
            return;
        }
        self.record.saves += 1;
        let checkpoint = Checkpoint {
            run: run.clone(),
            step,
            world_size: RANKS,
            complete: true,
            created: EPOCH + now,
            bytes,
            metrics: vec![Metric { name: "loss".to_owned(), value: loss }],
            pinned: false,
            verified: Vec::new(),
            present: vec![Tier::Nvme],
        };
        let half = Checkpoint { complete: false, bytes: bytes / 2, metrics: Vec::new(), ..checkpoint.clone() };
        it.world.checkpoints.insert((run.clone(), step), half);
        self.tell(host, &Occurrence::ShardCommitted(ShardRef { run: run.clone(), step, rank: 0 }), None);
        if let Some(it) = self.hosts.get_mut(host) {
            it.world.checkpoints.insert((run.clone(), step), checkpoint);
        }
        self.tell(host, &Occurrence::ShardCommitted(ShardRef { run: run.clone(), step, rank: 1 }), None);
        self.tell(host, &Occurrence::CheckpointComplete(CheckpointRef { run, step }), None);
        self.plan_at(sealed, Action::Seal { host, step });
    }

    fn seal(&mut self, host: usize, step: u64) {
        let Some(it) = self.hosts.get_mut(host) else { return };
        let run = it.run.clone();
        let Some(known) = it.world.checkpoints.get_mut(&(run.clone(), step)) else { return };
        known.verified.push(Tier::Nvme);
        self.tell(host, &Occurrence::CheckpointSealed(CheckpointRef { run, step }), None);
        self.plan_at(self.now, Action::Start { host });
        if let Some(wait) = self.plan.copied_after {
            let arrives = self.now.saturating_add(nanos(wait));
            let outage = self.plan.outage.map(|(from, to)| (nanos(from), nanos(to)));
            let away = outage.filter(|(from, to)| (*from..*to).contains(&arrives));
            self.plan_at(away.map_or(arrives, |(_, to)| to), Action::OtherCopy { host, step });
        }
    }

    fn wake(&mut self, host: usize, bot: usize, key: String, due: u64) {
        let now = self.now;
        let Some(it) = self.hosts.get_mut(host) else { return };
        let is_due = |it: &&mut Cursor| it.wakes.get(&key) == Some(&due) && it.fired.get(&key) != Some(&due);
        let Some(cursor) = it.cursors.get_mut(bot).filter(is_due) else { return };
        if let Some(next) = cursor.woken.map(|last| last + SECOND).filter(|next| *next > now) {
            self.plan_at(next, Action::Wake { host, bot, key, due });
            return;
        }
        cursor.fired.insert(key.clone(), due);
        cursor.woken = Some(now);
        self.tell(host, &Occurrence::Woken(Wake { key, due }), Some(bot));
    }

    /// A fact: it goes into the host's journal, and the bots handle it.
    fn tell(&mut self, host: usize, what: &Occurrence, only: Option<usize>) {
        let now = self.now;
        if let Some(it) = self.hosts.get_mut(host) {
            it.journal(now, what, only);
        }
        self.pump(host);
    }

    /// Lets the bots of a host handle what waits for them.
    pub(super) fn pump(&mut self, host: usize) {
        for bot in 0..self.bots.len() {
            while let Some((seq, handled)) = self.handled(host, bot) {
                self.take_in(host, bot, seq, handled);
            }
        }
    }

    fn handled(&mut self, host: usize, bot: usize) -> Option<(u64, Handled)> {
        self.hosts.get_mut(host)?.handle(bot, self.bots.get(bot)?)
    }

    fn take_in(&mut self, host: usize, bot: usize, seq: u64, handled: Handled) {
        let (at, name, host_name) = (self.elapsed(), self.bot_name(bot), self.host_name(host));
        let refused = handled.refused.into_iter();
        self.record.refused.extend(refused.map(|(effect, refusal)| Refused {
            at,
            host: host_name.clone(),
            bot: name,
            effect,
            refusal,
        }));
        self.record.lines.extend(handled.lines.into_iter().map(|(level, line)| (at, host_name.clone(), level, line)));
        for (key, due) in handled.wakes {
            self.plan_at(due.saturating_sub(EPOCH), Action::Wake { host, bot, key, due });
        }
        for (id, effect) in handled.effects {
            self.accept(host, bot, id, effect);
        }
        if self.some_stopped(host) {
            self.plan_at(self.now, Action::Start { host });
        }
        match handled.result {
            Ok(()) => self.record.events += 1,
            Err(error) => self.failed(host, bot, Failed { at, host: host_name, bot: name, seq, error }),
        }
    }

    /// The handler left nothing: the event comes again, or the bot is stopped.
    fn failed(&mut self, host: usize, bot: usize, failed: Failed) {
        let Some(cursor) = self.hosts.get_mut(host).and_then(|it| it.cursors.get_mut(bot)) else { return };
        if cursor.failures >= TRIES {
            cursor.stopped = true;
            self.record.stopped.push((failed.host.clone(), failed.bot));
        } else {
            cursor.waits = true;
            let wait = Duration::from_millis(200) * (1 << cursor.failures.saturating_sub(1));
            let again = self.now + self.dice.about(wait);
            self.plan_at(again, Action::Retry { host, bot });
        }
        self.record.failed.push(failed);
    }

    /// Takes note of what the death of a host would cost now.
    pub(super) fn expose(&mut self, host: usize) {
        let trained = self.now.min(nanos(self.plan.lasts));
        let safe = self.hosts.get(host).map_or(0, Host::recovery_point);
        self.record.worst_rpo = self.record.worst_rpo.max(Duration::from_nanos(trained.saturating_sub(safe)));
    }

    /// Plans something, not before now.
    pub(super) fn plan_at(&mut self, time: u64, action: Action) {
        let ordinal = self.ordinal();
        self.planned.insert((time.max(self.now), ordinal), action);
    }

    pub(super) fn ordinal(&mut self) -> u64 {
        self.ordinal += 1;
        self.ordinal
    }

    pub(super) fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.now)
    }

    pub(super) fn bot_name(&self, bot: usize) -> &'static str {
        self.bots.get(bot).map_or("", |it| it.name)
    }

    pub(super) fn host_name(&self, host: usize) -> String {
        self.hosts.get(host).map(|it| it.name.clone()).unwrap_or_default()
    }
}
