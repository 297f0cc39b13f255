//! The acts, one method each, in the order in which they are played.

use std::{fs, path::Path, time::Duration, time::Instant};

use anyhow::{Context, Result, bail, ensure};
use tidegate_api::{Bot, Checkpoint, Job, Page, Run, Save as OpenSave, Tier};

use super::{
    Comparison, Facts, Loss, Plan, Report, Say,
    losses::read_lines,
    stalls::Line,
    trainer::{self, Trainer},
};
use crate::{host::TidegateProcess, wait};

/// The name of the run.
const RUN: &str = "gpt";
/// Both ranks, by the names of their files.
const RANKS: [&str; 2] = ["rank-0", "rank-1"];
/// How long the host may take to settle: copies made, bots idle.
const SETTLE: Duration = Duration::from_secs(600);

/// A scene that is being played. Dropping it kills what still runs; the folder stays.
#[derive(Debug)]
pub struct Scene {
    plan: Plan,
    host: Option<TidegateProcess>,
    report: Report,
}

impl Scene {
    /// Prepares a plan in an empty folder.
    ///
    /// # Errors
    /// When the folder can't be made, or the plan makes no sense.
    pub fn new(plan: Plan) -> Result<Self> {
        let Plan { steps, every, crash_at, .. } = plan;
        let sound = every > 0 && crash_at % every == 0 && crash_at > every && crash_at <= steps;
        ensure!(sound, "the crash must come in a save, with a save before it: {plan:?}");
        fs::create_dir_all(&plan.dir)?;
        let report = Report { resumed_from: plan.last_complete(), ..Report::default() };
        Ok(Self { plan, host: None, report })
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Plays all acts.
    ///
    /// # Errors
    /// Where an act fails. That losses differ is no error here: the report says it.
    pub fn play(mut self, say: Say<'_>) -> Result<Report> {
        self.baseline(say)?;
        self.start_host()?;
        self.train_and_kill(say)?;
        self.settle(say)?;
        self.lose_tier()?;
        self.restart_host()?;
        self.resume(say)?;
        self.settle(say)?;
        self.end()
    }

    /// Trains once without interruption, in one process, and without a host.
    ///
    /// # Errors
    /// When the trainer fails.
    pub fn baseline(&mut self, say: Say<'_>) -> Result<()> {
        let trainer = Trainer::start(&self.plan, "baseline", |command| {
            command.args(["--no-tidegate", "--every", "0"]);
        })?;
        trainer::wait_for(&mut [trainer], say)
    }

    /// Starts the host.
    ///
    /// # Errors
    /// When it does not get ready, or its two bots are not there.
    pub fn start_host(&mut self) -> Result<()> {
        let host = self.plan.host.clone().start()?;
        let bots: Page<Bot> = host.ask("/v1/bots")?;
        let names: Vec<&str> = bots.items.iter().map(|bot| bot.name.as_str()).collect();
        ensure!(names == ["prune", "replicate"], "the bots are {names:?}: {}", host.log_tail());
        self.host = Some(host);
        Ok(())
    }

    /// Trains on two ranks until rank 1 kills itself in the middle of a save. Rank 0 commits its share of that step and is
    /// killed then, as a launcher does. The checkpoint must stay incomplete, and of rank 1's save nothing may be left.
    ///
    /// # Errors
    /// When a trainer ends otherwise, or the host takes the broken checkpoint for a whole one.
    pub fn train_and_kill(&mut self, say: Say<'_>) -> Result<()> {
        let (plan, host) = (&self.plan, self.host()?);
        let mut trainers = self.ranks(|rank| if rank == 1 { Some(plan.crash_at) } else { None }, false)?;
        let mut crashed = false;
        trainer::wait_until("a trainer to be killed in its save", &mut trainers, say, |trainers| {
            let [zero, one] = trainers else { bail!("there are two ranks") };
            if let Some(status) = one.try_wait()?.filter(|_| !crashed) {
                one.check_killed(status)?;
                crashed = true;
            }
            let found = checkpoint(host, plan.crash_at)?;
            let committed = found.is_some_and(|it| it.shards.iter().any(|shard| shard.rank == 0));
            // Rank 0 may have come to its own end meanwhile.
            if let (Some(status), false) = (zero.try_wait()?, committed) {
                zero.check(status)?;
            }
            Ok(crashed && committed)
        })?;
        trainers.iter_mut().try_for_each(Trainer::kill9)?;
        let broken = checkpoint(host, plan.crash_at)?.context("the checkpoint of the crash is gone")?;
        ensure!(!broken.complete, "a checkpoint without rank 1 counts as complete: {broken:?}");
        self.nothing_left()?;
        self.newest_is(plan.last_complete())
    }

    /// Waits until the newest complete checkpoint is in object storage, and no job and no bot has anything left to do.
    ///
    /// # Errors
    /// When that does not come to be.
    pub fn settle(&mut self, say: Say<'_>) -> Result<()> {
        let host = self.host()?;
        let mut said = String::new();
        wait::until("the copies to be made and the bots to be idle", SETTLE, || {
            let run: Run = host.ask(&format!("/v1/runs/{RUN}"))?;
            let jobs: Page<Job> = host.ask("/v1/jobs?limit=1000")?;
            let bots: Page<Bot> = host.ask("/v1/bots")?;
            if let Some(bot) = bots.items.iter().find(|bot| bot.state != "running") {
                bail!("bot {} is in quarantine: {:?}", bot.name, bot.last_fault);
            }
            let waiting = jobs.items.iter().filter(|job| ["queued", "running"].contains(&job.state.as_str())).count();
            let lag: u64 = bots.items.iter().map(|bot| bot.lag).sum();
            let line = format!(
                "newest complete step {:?}, in object storage {:?}, {waiting} jobs, {lag} events unread",
                run.latest_complete, run.latest_durable
            );
            if line != said {
                say(&line);
                said = line;
            }
            let durable = run.latest_complete.is_some() && run.latest_complete == run.latest_durable;
            Ok((durable && waiting == 0 && lag == 0).then_some(()))
        })?;
        let facts = Facts::read(host)?;
        self.report.add(&facts)
    }

    /// Stops the host, deletes its whole tier, index and journal included, while it is down.
    ///
    /// # Errors
    /// When the host does not stop cleanly, or there is no tier.
    pub fn lose_tier(&mut self) -> Result<()> {
        self.note_memory();
        let host = self.host.as_mut().context("the host was not started")?;
        let status = host.stop(Duration::from_secs(60))?;
        ensure!(status.success(), "the host ended with {status}: {}", host.log_tail());
        let tier = host.dir().join("tier");
        self.report.tier_bytes = bytes_below(&tier)?;
        fs::remove_dir_all(&tier).with_context(|| format!("delete {}", tier.display()))?;
        Ok(())
    }

    /// Starts the host again. It has an empty tier, and must find the run in object storage.
    ///
    /// # Errors
    /// When it does not find the newest complete checkpoint there, and there alone.
    pub fn restart_host(&mut self) -> Result<()> {
        let started = Instant::now();
        self.host.as_mut().context("the host was not started")?.restart()?;
        self.report.restart_s = started.elapsed().as_secs_f64();
        let newest = self.plan.last_complete();
        self.newest_is(newest)?;
        let found = checkpoint(self.host()?, newest)?.context("the newest checkpoint")?;
        ensure!(found.tiers == [Tier::Object], "the checkpoint is on {:?}", found.tiers);
        Ok(())
    }

    /// Both ranks go on from the newest complete checkpoint, to the end.
    ///
    /// # Errors
    /// When a trainer fails, or did not get all bytes of that checkpoint from object storage.
    pub fn resume(&mut self, say: Say<'_>) -> Result<()> {
        let mut trainers = self.ranks(|_| None, true)?;
        trainer::wait_for(&mut trainers, say)?;
        self.nothing_left()?;
        self.newest_is(self.plan.steps)
    }

    /// Stops the host and compares.
    ///
    /// # Errors
    /// When the host does not stop cleanly or a log can't be read. That losses differ is no error here.
    pub fn end(mut self) -> Result<Report> {
        self.note_memory();
        let mut host = self.host.take().context("the host was not started")?;
        let status = host.stop(Duration::from_secs(60))?;
        ensure!(status.success(), "the host ended with {status}: {}", host.log_tail());
        for rank in RANKS {
            for line in read_lines::<Line>(&self.plan.file(&format!("{rank}.stall")))? {
                match line {
                    Line::Tidegate(save) => self.report.saves.push(save),
                    Line::Plain(save) => self.report.plain.push(save),
                    Line::Restore(restore) => self.report.restores.push(restore),
                }
            }
        }
        let baseline: Vec<Loss> = read_lines(&self.plan.file("baseline.loss"))?;
        let ranks = RANKS.iter().map(|rank| read_lines::<Loss>(&self.plan.file(&format!("{rank}.loss"))));
        let ranks = ranks.collect::<Result<Vec<_>>>()?;
        let Plan { steps, .. } = self.plan;
        self.report.comparison = Comparison::make(&baseline, &ranks, self.report.resumed_from, steps);
        for restore in &self.report.restores {
            let object = restore.from.get("object").copied().unwrap_or_default();
            let nvme = restore.from.get("nvme").copied().unwrap_or_default();
            let right = restore.step == self.report.resumed_from && nvme == 0 && object >= restore.bytes;
            ensure!(right, "a restore was not from object storage: {restore:?}");
        }
        ensure!(self.report.restores.len() == RANKS.len(), "{} ranks restored", self.report.restores.len());
        Ok(self.report)
    }

    fn host(&self) -> Result<&TidegateProcess> {
        self.host.as_ref().context("the host was not started")
    }

    fn ranks(&self, crash: impl Fn(usize) -> Option<u64>, resume: bool) -> Result<Vec<Trainer>> {
        let (plan, host) = (&self.plan, self.host()?);
        let trainers = RANKS.iter().enumerate().map(|(rank, name)| {
            Trainer::start(plan, name, |command| {
                command.args(["--run", RUN, "--rank", &rank.to_string(), "--world-size", "2"]);
                command.args(["--every", &plan.every.to_string()]).arg("--socket").arg(host.socket());
                command.arg("--plain-dir").arg(plan.file("plain"));
                if let Some(step) = crash(rank) {
                    command.args(["--crash-in-save", &step.to_string()]);
                }
                if resume {
                    command.arg("--resume");
                }
            })
        });
        trainers.collect()
    }

    fn newest_is(&self, step: u64) -> Result<()> {
        let newest: Checkpoint = self.host()?.ask(&format!("/v1/runs/{RUN}/checkpoints/latest"))?;
        ensure!(newest.step == step && newest.complete, "the newest complete checkpoint is {newest:?}, not {step}");
        Ok(())
    }

    /// Of saves that nobody finished, nothing is left.
    fn nothing_left(&self) -> Result<()> {
        let host = self.host()?;
        let (staging, trash) = (host.dir().join("tier/staging"), host.dir().join("tier/trash"));
        wait::until("unfinished saves to be removed", Duration::from_secs(60), || {
            let open: Page<OpenSave> = host.ask("/v1/saves")?;
            let empty = |dir: &Path| fs::read_dir(dir).map(|mut entries| entries.next().is_none());
            Ok((open.items.is_empty() && empty(&staging)? && empty(&trash)?).then_some(()))
        })
    }

    fn note_memory(&mut self) {
        let pid = self.host.as_ref().and_then(TidegateProcess::pid);
        let seen = pid.and_then(crate::proc::peak_memory);
        self.report.host_memory = self.report.host_memory.max(seen);
    }
}

/// A checkpoint of the run, or nothing if there is none at this step yet.
fn checkpoint(host: &TidegateProcess, step: u64) -> Result<Option<Checkpoint>> {
    let path = format!("/v1/runs/{RUN}/checkpoints/{step}");
    let answer = host.send(&crate::http::Request::new("GET", &path))?;
    match answer.status {
        404 => Ok(None),
        200 => Ok(Some(serde_json::from_value(answer.json()?)?)),
        status => bail!("GET {path}: {status} {}", answer.text()),
    }
}

fn bytes_below(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir).with_context(|| format!("list {}", dir.display()))? {
        let entry = entry?;
        let kind = entry.metadata()?;
        bytes += if kind.is_dir() { bytes_below(&entry.path())? } else { kind.len() };
    }
    Ok(bytes)
}
