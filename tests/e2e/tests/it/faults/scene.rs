//! A real host whose object store is a real server behind a proxy that injects faults.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use tidegate_client::{
    Paging,
    api::{
        Begin, Checkpoint, Commit, Event, Problem, PruneRequest, Restore, RestoreRequest, RestoreState, StepChoice,
        Tier,
    },
};
use tidegate_tests_support::{
    fault_proxy::{Fault, FaultPlan, FaultProxy, Rule, When},
    host::{Options, TidegateProcess},
    s3,
    seaweed::SeaweedFs,
    tree::{Plan, Tree},
    wait,
};

use crate::ask::{Ask, number};

/// For what the host tries again until it works.
pub(super) const IN_THE_END: Duration = Duration::from_secs(240);
/// Every checkpoint is of two ranks.
const WORLD_SIZE: u32 = 2;

/// All of it, and what was committed.
pub(super) struct Scene {
    pub(super) seed: u64,
    pub(super) ask: Ask,
    pub(super) host: TidegateProcess,
    pub(super) proxy: FaultProxy,
    pub(super) server: SeaweedFs,
    dir: TempDir,
    trees: BTreeMap<(String, u64, u32), Tree>,
    restores: u64,
}

impl Scene {
    pub(super) fn new() -> Result<Self> {
        let seed = number("TIDEGATE_TEST_SEED")?.unwrap_or_else(|| fastrand::u64(..1 << 32));
        println!("TIDEGATE_TEST_SEED={seed}");
        let dir = tempfile::tempdir()?;
        let server = SeaweedFs::start(&dir.path().join("s3"))?;
        let proxy = FaultProxy::start(server.address(), FaultPlan::new(seed))?;
        let host = host_on(&dir.path().join("host"), &server, &proxy).start()?;
        let ask = Ask::new(&host.socket())?;
        Ok(Self { seed, ask, host, proxy, server, dir, trees: BTreeMap::new(), restores: 0 })
    }

    /// Another host, in a directory of this name, on the same bucket.
    pub(super) fn another_host(&self, name: &str) -> Result<TidegateProcess> {
        host_on(&self.dir.path().join(name), &self.server, &self.proxy).start()
    }

    /// From now on requests meet this fault so often, as the seed decides.
    pub(super) fn inject(&self, fault: Fault, often: f64) {
        self.proxy.set_plan(FaultPlan::new(self.seed).rule(Rule::new(fault, When::Probability(often))));
    }

    /// The same, and the next two that read and the next two that write meet it for certain.
    pub(super) fn inject_at_once(&self, fault: &Fault, often: f64) {
        let rule = |when| Rule::new(fault.clone(), when);
        let plan = FaultPlan::new(self.seed).rule(rule(When::First(2)).method("GET").target("/packs/"));
        let plan = plan.rule(rule(When::First(2)).method("PUT").target("/packs/"));
        self.proxy.set_plan(plan.rule(rule(When::Probability(often))));
    }

    /// The store can't be reached.
    pub(super) fn outage(&self) {
        self.inject(Fault::ResetBeforeRequest, 1.0);
    }

    /// All is well again.
    pub(super) fn calm(&self) {
        self.proxy.set_plan(FaultPlan::new(self.seed));
    }

    /// Saves a checkpoint of files that are empty, small, of two blocks, and of two parts of an upload.
    pub(super) fn save(&mut self, run: &str, step: u64) -> Result<()> {
        for rank in 0..WORLD_SIZE {
            let begin = Begin { run: run.to_owned(), step, rank, world_size: WORLD_SIZE, bytes: None };
            let save = self.ask.run(self.ask.client.begin(&begin))?;
            let files = [("config.json", 77), ("empty", 0), ("m/adam.bin", (4 << 20) + 3), ("weights.bin", 9 << 20)];
            let files = if rank == 0 { &files[..] } else { &files[..3] };
            let plan = Plan::of(self.seed ^ (step << 8) ^ u64::from(rank) ^ ((run.len() as u64) << 40), files);
            let tree = plan.write(Path::new(&save.path))?;
            let done = self.ask.run(self.ask.client.commit(&save.save_id, &Commit::default()))?;
            ensure!(done.complete || rank + 1 < WORLD_SIZE, "{done:?}");
            self.trees.insert((run.to_owned(), step, rank), tree);
        }
        Ok(())
    }

    pub(super) fn checkpoint(&self, run: &str, step: u64) -> Result<Checkpoint> {
        Ok(self.ask.run(self.ask.client.checkpoint(run, step))?)
    }

    /// Waits for the verified copy in object storage.
    pub(super) fn wait_replicated(&self, run: &str, step: u64) -> Result<()> {
        let copied = wait::until("a verified copy in object storage", IN_THE_END, || {
            Ok(self.checkpoint(run, step)?.tiers.contains(&Tier::Object).then_some(()))
        });
        copied.with_context(|| {
            format!("{run} step {step}: {:#?}", self.ask.run(self.ask.client.jobs(&Paging::first(10))))
        })
    }

    /// Makes the object store the only place that has it.
    pub(super) fn drop_from_nvme(&self, run: &str, step: u64) -> Result<()> {
        let request = PruneRequest { tier: Tier::Nvme, reason: "the test wants it from afar".into(), dry_run: false };
        wait::until("the copy on NVMe to go", IN_THE_END, || {
            if self.checkpoint(run, step)?.shards.iter().all(|shard| !shard.nvme) {
                return Ok(Some(()));
            }
            match self.ask.run(self.ask.client.prune(run, step, &request)) {
                Ok(_) => Ok(None),
                // It is being done, or is still read.
                Err(error) if error.code() == Some("TG0023") => Ok(None),
                Err(error) => Err(error.into()),
            }
        })
    }

    /// Restores, again and again while the object store is away, and compares every byte. The other answer is why not.
    pub(super) fn restore(&mut self, run: &str, step: u64) -> Result<Result<Restore, Problem>> {
        let restored = self.restore_at(&Ask::new(&self.host.socket())?, run, step)?;
        Ok(restored)
    }

    /// The same from another host.
    pub(super) fn restore_at(&mut self, ask: &Ask, run: &str, step: u64) -> Result<Result<Restore, Problem>> {
        self.restores += 1;
        let into = self.dir.path().join(format!("restored-{}", self.restores));
        let outcome = wait::until("a restore", IN_THE_END, || try_restore(ask, run, step, &into))?;
        match &outcome {
            Ok(_) => self.exact(run, step, &into)?,
            Err(_) => ensure!(!into.exists(), "a restore failed and left {}", into.display()),
        }
        Ok(outcome)
    }

    pub(super) fn exact(&self, run: &str, step: u64, path: &Path) -> Result<()> {
        for rank in 0..WORLD_SIZE {
            let wanted = &self.trees[&(run.to_owned(), step, rank)];
            let found = Tree::read(&path.join(format!("rank-{rank:05}")))?;
            if let Some(difference) = wanted.difference(&found) {
                bail!("NOT EXACT: {run} step {step} rank {rank}: {difference}");
            }
        }
        Ok(())
    }

    /// Bytes of a whole checkpoint.
    pub(super) fn bytes(&self, run: &str, step: u64) -> u64 {
        (0..WORLD_SIZE).map(|rank| self.trees[&(run.to_owned(), step, rank)].bytes()).sum()
    }

    /// The names of a checkpoint's objects that contain this.
    pub(super) fn objects(&self, run: &str, step: u64, part: &str) -> Result<Vec<String>> {
        let mut names = s3::list(&self.server, &format!("faults/v1/runs/{run}/{step:016}/"))?;
        names.retain(|name| name.contains(part));
        ensure!(!names.is_empty(), "{run} step {step} has no object {part}");
        Ok(names)
    }

    /// The directory of a shard's files on the tier.
    pub(super) fn on_nvme(&self, run: &str, step: u64, rank: u32) -> PathBuf {
        self.host.dir().join(format!("tier/runs/{run}/{step:016}.{rank:05}/files"))
    }

    /// The events of this kind and run.
    pub(super) fn events(&self, kind: &str, run: &str) -> Result<Vec<Event>> {
        let mut events = self.ask.events_after(0)?;
        events.retain(|event| event.kind == kind && event.what.get("run").is_some_and(|of| of == run));
        Ok(events)
    }
}

/// One try; none if the object store could not be asked.
pub(super) fn try_restore(ask: &Ask, run: &str, step: u64, into: &Path) -> Result<Option<Result<Restore, Problem>>> {
    let request = RestoreRequest {
        run: run.to_owned(),
        step: StepChoice::Step(step),
        ranks: None,
        into: Some(into.to_string_lossy().into_owned()),
    };
    let mut restore = match ask.run(ask.client.restore(&request, Duration::from_secs(60))) {
        Err(error) if error.code() == Some("TG0026") => return Ok(None),
        answer => answer?,
    };
    while restore.state == RestoreState::Running {
        restore = ask.run(ask.client.restore_state(&restore.id, Duration::from_secs(60)))?;
    }
    match &restore.error {
        None => Ok(Some(Ok(restore))),
        Some(problem) if problem.code == "TG0026" => Ok(None),
        Some(problem) => Ok(Some(Err(problem.clone()))),
    }
}

fn host_on(dir: &Path, server: &SeaweedFs, proxy: &FaultProxy) -> Options {
    let options = Options::dev(dir).object(&format!("s3://{}/faults", server.bucket()));
    // Small parts, so that a file of some megabytes is an upload of several.
    options.envs(server.env(&proxy.endpoint())).env("TIDEGATE_OBJECT__PART_BYTES", (8 << 20).to_string())
}
