//! A host of its own before the server: saves checkpoints and has them copied.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, FixedOffset};
use tidegate_client::{
    Address, Client, Paging,
    api::{Begin, BotSpec, Checkpoint, Commit, Event, Job},
};
use tidegate_tests_support::{host, seaweed::SeaweedFs, wait};
use tokio::runtime::Runtime;

use super::load::Load;
use crate::{
    Args,
    usage::{self, Took},
};

const RUN: &str = "bench";
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) struct Ours<'a> {
    // Before the host, whose requests it makes.
    runtime: Runtime,
    client: Client,
    host: host::TidegateProcess,
    args: &'a Args,
    /// The last event that was seen.
    after: u64,
}

impl<'a> Ours<'a> {
    pub(super) fn start(args: &'a Args, load: &Load, server: &SeaweedFs, dir: &Path) -> Result<Self> {
        let none = dir.join("no-plugins");
        fs::create_dir_all(&none)?;
        let options = host::Options::dev(&dir.join("host")).with_binary(&args.host).arg("--plugins").arg(&none);
        let mut options = options.object(&url(server)).envs(server.env(&server.endpoint()));
        if let Some(layout) = load.layout() {
            options = options.env("TIDEGATE_OBJECT__LAYOUT", layout);
        }
        let host = options.start()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = Client::new(Address::Unix(host.socket()));
        Ok(Self { runtime, client, host, args, after: 0 })
    }

    /// A checkpoint, with its digests made: what is measured is the copy. Returns its bytes.
    pub(super) fn save(&self, load: &Load, step: u64) -> Result<u64> {
        let begin = Begin { run: RUN.into(), step, rank: 0, world_size: 1, bytes: None };
        let save = self.runtime.block_on(self.client.begin(&begin))?;
        let bytes = load.write(self.args, step, Path::new(&save.path))?;
        self.runtime.block_on(self.client.commit(&save.save_id, &Commit::default()))?;
        wait::until("the digests", PATIENCE, || {
            let found: Checkpoint = self.runtime.block_on(self.client.checkpoint(RUN, step))?;
            Ok(found.shards.iter().all(|shard| shard.sealed).then_some(()))
        })?;
        Ok(bytes)
    }

    /// Where the files of a step lie.
    pub(super) fn files(&self, step: u64) -> PathBuf {
        self.host.dir().join(format!("tier/runs/{RUN}/{step:016}.00000/files"))
    }

    /// The bot is installed now, finds that a copy is missing, and asks for it: from the job to the fact that it is there.
    /// Returns also how it was verified. The bot is gone when this returns.
    pub(super) fn replicate(&mut self) -> Result<(Took, String)> {
        let component = fs::read(self.args.plugins.join("replicate.wasm"))?;
        let plugin = self.runtime.block_on(self.client.add_plugin(component.into()))?.digest;
        let spec = BotSpec {
            plugin,
            settings: serde_json::json!({ "jitter_seconds": 0.0 }),
            grants: serde_json::json!({ "read": ["*"], "replicate": ["*"], "targets": ["default"] }),
            triggers: serde_json::json!({ "events": ["checkpoint-complete"] }),
            mode: serde_json::Value::Null,
            beside: false,
            probation: None,
        };
        let pid = self.host.pid().context("the host has ended")?;
        let cpu = usage::of(pid)?;
        self.runtime.block_on(self.client.install_bot("replicate", &spec))?;
        let done = self.replicated()?;
        let cpu = usage::of(pid)? - cpu;
        let jobs: Vec<Job> = self.runtime.block_on(self.client.jobs(&Paging::first(10)))?.items;
        let job = jobs.iter().filter(|job| job.verb == "replicate").max_by_key(|job| job.created_at.clone());
        let job = job.context("the job is not listed")?;
        ensure!(job.failures == 0, "the job was tried again: {job:?}");
        self.runtime.block_on(self.client.remove_bot("replicate"))?;
        let wall = (time(&done.time)? - time(&job.created_at)?).as_seconds_f64();
        let verified = done.what.get("verified").and_then(serde_json::Value::as_str).unwrap_or("?").to_owned();
        Ok((Took { wall, cpu }, verified))
    }

    fn replicated(&mut self) -> Result<Event> {
        wait::until("the copy", PATIENCE, || {
            let asked = self.client.events(self.after, 1000, Duration::from_secs(10));
            let page = self.runtime.block_on(asked)?;
            for event in page.items {
                self.after = event.seq;
                if event.kind == "checkpoint-replicated" {
                    return Ok(Some(event));
                }
            }
            Ok(None)
        })
    }
}

/// From the bucket alone, as a process.
pub(super) fn restore(args: &Args, server: &SeaweedFs, into: &Path) -> Result<Took> {
    let mut command = Command::new(&args.host);
    command.args(["restore", RUN, "--from", &url(server), "--to"]).arg(into);
    command.envs(server.env(&server.endpoint()));
    usage::run(command)
}

fn url(server: &SeaweedFs) -> String {
    format!("s3://{}/bench", server.bucket())
}

fn time(text: &str) -> Result<DateTime<FixedOffset>> {
    DateTime::parse_from_rfc3339(text).with_context(|| format!("{text} is no time"))
}
