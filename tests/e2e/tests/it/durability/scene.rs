//! A host whose syncs are watched. It has no bots, so that nothing happens but what the test asks for.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tempfile::TempDir;
use tidegate_client::api::{Checkpoint, Committed, Page, Problem, Save};
use tidegate_tests_support::{
    host::{Options, TidegateProcess},
    http::{Request, Response},
    syncs::Syncs,
    tree::{Plan, Tree},
    wait,
};

/// For what must come to be.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Files at the top and in directories, one of them empty.
const FILES: [(&str, u64); 5] = [
    ("config.json", 77),
    ("empty", 0),
    ("optimizer/m/part-0.bin", 1),
    ("optimizer/state.bin", 5000),
    ("weights.bin", 300_000),
];
/// Their directories, below the save's own.
const DIRECTORIES: [&str; 3] = ["", "optimizer", "optimizer/m"];

/// The host and its watcher.
pub(super) struct Scene {
    pub(super) host: TidegateProcess,
    pub(super) syncs: Syncs,
    tier: PathBuf,
    /// Goes last, when the host is gone.
    _folder: TempDir,
}

impl Scene {
    pub(super) fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        // Calls are written down by the paths that the kernel knows.
        let top = folder.path().canonicalize()?;
        let (dir, plugins) = (top.join("host"), top.join("plugins"));
        fs::create_dir(&plugins)?;
        let syncs = Syncs::build(&top, &dir)?;
        // The object store lies elsewhere: what is synced for it is not taken for the tier's.
        let options = Options::dev(&dir).object(&format!("file://{}/object", top.display()));
        let host = options.arg("--plugins").arg(plugins).envs(syncs.env()).start()?;
        Ok(Self { host, syncs, tier: dir.join("tier"), _folder: folder })
    }

    pub(super) fn tier(&self) -> &Path {
        &self.tier
    }

    /// The directory that a commit of the only rank puts in its place.
    pub(super) fn shard(&self, run: &str, step: u64) -> PathBuf {
        self.tier().join(format!("runs/{run}/{step:016}.00000"))
    }

    /// Whether it is a file that the index appends its changes to.
    pub(super) fn is_journal(&self, path: &Path) -> bool {
        path.parent() == Some(&self.tier().join("index"))
            && path.extension().is_some_and(|extension| extension == "jnl")
    }

    pub(super) fn post(&self, path: &str, body: &serde_json::Value) -> Result<Response> {
        self.host.send(&Request::new("POST", path).json(&body.to_string()))
    }

    /// A save of the only rank, with its files written.
    pub(super) fn save(&self, run: &str, step: u64) -> Result<(Save, Tree)> {
        let begin = json!({ "run": run, "step": step, "rank": 0, "world_size": 1 });
        let begun = self.post("/v1/saves", &begin)?;
        ensure!(begun.status == 201, "{}", begun.text());
        let save: Save = serde_json::from_slice(&begun.body)?;
        let tree = Plan::of(step, &FILES).write(Path::new(&save.path))?;
        Ok((save, tree))
    }

    pub(super) fn ask_commit(&self, save: &Save) -> Result<Response> {
        self.post(&format!("/v1/saves/{}/commit", save.save_id), &json!({}))
    }

    /// A commit that must succeed.
    pub(super) fn commit(&self, save: &Save) -> Result<Committed> {
        let committed = self.ask_commit(save)?;
        ensure!(committed.status == 200, "{}", committed.text());
        Ok(serde_json::from_slice(&committed.body)?)
    }

    pub(super) fn checkpoint(&self, run: &str, step: u64) -> Result<Option<Checkpoint>> {
        let found = self.host.send(&Request::new("GET", &format!("/v1/runs/{run}/checkpoints/{step}")))?;
        match found.status {
            200 => Ok(Some(serde_json::from_slice(&found.body)?)),
            404 => Ok(None),
            _ => anyhow::bail!("{}", found.text()),
        }
    }

    /// Waits until the host has done all that a commit asks of it later, and is quiet.
    pub(super) fn wait_sealed(&self, run: &str, step: u64) -> Result<()> {
        wait::until("a shard to be sealed", PATIENCE, || {
            let found = self.checkpoint(run, step)?.context("the checkpoint is gone")?;
            Ok(found.shards.iter().all(|shard| shard.sealed).then_some(()))
        })
    }

    /// Nothing is left of a save that was refused: the host knows neither it nor a shard, and no file of it is there.
    pub(super) fn left_nothing(&self, run: &str, step: u64, save: &Save) -> Result<()> {
        ensure!(self.checkpoint(run, step)?.is_none(), "{run} is known");
        ensure!(!self.shard(run, step).exists(), "there is a shard of {run}");
        let saves: Page<Save> = self.host.ask("/v1/saves")?;
        ensure!(saves.items.is_empty(), "{saves:?}");
        for folder in ["staging", "trash", "quarantine"] {
            let names = names_in(&self.tier().join(folder))?;
            ensure!(names.is_empty(), "{folder} holds {names:?}");
        }
        let again = self.ask_commit(save)?;
        ensure!(problem(&again)?.code == "TG0007", "it can be committed: {}", again.text());
        Ok(())
    }
}

/// The files of a save, where the trainer wrote them.
pub(super) fn files(save: &Save) -> impl Iterator<Item = PathBuf> {
    FILES.iter().map(|(path, _)| Path::new(&save.path).join(path))
}

/// Its directories.
pub(super) fn directories(save: &Save) -> impl Iterator<Item = PathBuf> {
    // Joining nothing would end the path with a slash.
    DIRECTORIES.iter().map(|path| Path::new(&save.path).join(path).components().collect())
}

/// An error in the form that every error has.
pub(super) fn problem(response: &Response) -> Result<Problem> {
    ensure!(response.content_type.as_deref() == Some("application/problem+json"), "{}", response.text());
    let problem: Problem = serde_json::from_slice(&response.body)?;
    ensure!(problem.status == response.status && !problem.detail.is_empty() && !problem.hint.is_empty(), "{problem:?}");
    Ok(problem)
}

pub(super) fn names_in(folder: &Path) -> Result<BTreeSet<String>> {
    let entries = fs::read_dir(folder)?;
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}
