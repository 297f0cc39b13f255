//! The copy of a checkpoint to an S3 server, digests and checks included, beside `s5cmd cp` of the same files to the same
//! server. They take turns and swap who is first; each pair has a server, a host and files of its own.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, FixedOffset};
use tidegate_client::{
    Address, Client, Paging,
    api::{Begin, BotSpec, Checkpoint, Commit, Job},
};
use tidegate_tests_support::{host, seaweed::SeaweedFs, stats::Spread, venv::tools_venv, wait};
use tokio::runtime::Runtime;

use crate::{
    Args,
    disk::{self, Writer},
    figure::{Figure, spread},
};

const FILES: u64 = 16;
const BYTES: u64 = 64 << 20;
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) fn measure(args: &Args) -> Result<Vec<Figure>> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut verified = String::new();
    for round in 0..=args.rounds.unwrap_or(5) {
        let dir = args.dir.join("replicate_raw");
        disk::remove(&dir)?;
        let (seconds, s5cmd, how) = pair(args, &dir, round % 2 == 0)?;
        disk::remove(&dir)?;
        // The first pair warms up.
        if round > 0 {
            ours.push(rate(seconds));
            theirs.push(rate(s5cmd));
        }
        verified = how;
    }
    let (ours, theirs) = (Spread::of(ours), Spread::of(theirs));
    Ok(vec![Figure {
        name: "replicate_raw".into(),
        value: ours.median,
        unit: "MB/s",
        peer: "s5cmd cp",
        peer_value: theirs.median,
        ratio: ours.median / theirs.median,
        note: format!(
            "{FILES} files of 64 MiB to SeaweedFS on the same machine; ours from the start of the job to \
             checkpoint-replicated ({verified}): {}; s5cmd from start to end of its process, no digests kept: {}",
            spread(&ours, 1.0),
            spread(&theirs, 1.0)
        ),
    }])
}

fn rate(seconds: f64) -> f64 {
    (FILES * BYTES) as f64 / 1e6 / seconds
}

/// Seconds of both, and how ours was verified.
fn pair(args: &Args, dir: &Path, ours_first: bool) -> Result<(f64, f64, String)> {
    let server = SeaweedFs::start(&dir.join("weed"))?;
    let none = dir.join("no-plugins");
    std::fs::create_dir_all(&none)?;
    let options = host::Options::dev(&dir.join("host")).with_binary(&args.host).arg("--plugins").arg(&none);
    let url = format!("s3://{}/bench", server.bucket());
    let host = options.object(&url).envs(server.env(&server.endpoint())).start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = Client::new(Address::Unix(host.socket()));
    save(&runtime, &client)?;
    disk::quiet(dir)?;
    let files = host.dir().join("tier/runs/bench/0000000000000001.00000/files");
    let (mut ours, mut theirs) = (None, None);
    for turn in [ours_first, !ours_first] {
        if turn {
            ours = Some(replicate(args, &runtime, &client)?);
        } else {
            theirs = Some(s5cmd(&server, &files)?);
        }
        disk::quiet(dir)?;
    }
    let (seconds, verified) = ours.context("ours was not measured")?;
    Ok((seconds, theirs.context("s5cmd was not measured")?, verified))
}

/// The checkpoint, with its digests made: what is measured is the copy.
fn save(runtime: &Runtime, client: &Client) -> Result<()> {
    let begin = Begin { run: "bench".into(), step: 1, rank: 0, world_size: 1, bytes: Some(FILES * BYTES) };
    let save = runtime.block_on(client.begin(&begin))?;
    let mut writer = Writer::new();
    for nth in 0..FILES {
        drop(writer.write(&Path::new(&save.path).join(format!("part-{nth:02}.bin")), BYTES)?);
    }
    runtime.block_on(client.commit(&save.save_id, &Commit::default()))?;
    wait::until("the digests", PATIENCE, || {
        let found: Checkpoint = runtime.block_on(client.checkpoint("bench", 1))?;
        Ok(found.shards.iter().all(|shard| shard.sealed).then_some(()))
    })
}

/// The bot is installed now, finds that a copy is missing, and asks for it: from the job to the fact that it is there.
fn replicate(args: &Args, runtime: &Runtime, client: &Client) -> Result<(f64, String)> {
    let component = std::fs::read(args.plugins.join("replicate.wasm"))?;
    let plugin = runtime.block_on(client.add_plugin(component.into()))?.digest;
    let spec = BotSpec {
        plugin,
        settings: serde_json::json!({ "jitter_seconds": 0.0 }),
        grants: serde_json::json!({ "read": ["*"], "replicate": ["*"], "targets": ["default"] }),
        triggers: serde_json::json!({ "events": ["checkpoint-complete"] }),
        mode: serde_json::Value::Null,
        beside: false,
        probation: None,
    };
    runtime.block_on(client.install_bot("replicate", &spec))?;
    let mut after = 0;
    let done = wait::until("the copy", PATIENCE, || {
        let page = runtime.block_on(client.events(after, 1000, Duration::from_secs(10)))?;
        after = page.items.last().map_or(after, |event| event.seq);
        Ok(page.items.into_iter().find(|event| event.kind == "checkpoint-replicated"))
    })?;
    let jobs: Vec<Job> = runtime.block_on(client.jobs(&Paging::first(10)))?.items;
    let job = jobs.iter().find(|job| job.verb == "replicate").context("the job is not listed")?;
    ensure!(job.failures == 0, "the job was tried again: {job:?}");
    let seconds = (time(&done.time)? - time(&job.created_at)?).as_seconds_f64();
    let verified = done.what.get("verified").and_then(serde_json::Value::as_str).unwrap_or("?").to_owned();
    Ok((seconds, verified))
}

fn time(text: &str) -> Result<DateTime<FixedOffset>> {
    DateTime::parse_from_rfc3339(text).with_context(|| format!("{text} is no time"))
}

/// All cores, its own defaults.
fn s5cmd(server: &SeaweedFs, files: &Path) -> Result<f64> {
    let mut command = Command::new(tools_venv()?.bin("s5cmd"));
    command.args(["--endpoint-url", &server.endpoint(), "cp"]).arg(format!("{}/*", files.display()));
    command.arg(format!("s3://{}/s5cmd/", server.bucket())).envs(server.env(&server.endpoint())).stdout(Stdio::null());
    let started = Instant::now();
    let output = command.stderr(Stdio::piped()).spawn()?.wait_with_output()?;
    let took = started.elapsed().as_secs_f64();
    ensure!(output.status.success(), "s5cmd: {}", String::from_utf8_lossy(&output.stderr));
    Ok(took)
}
