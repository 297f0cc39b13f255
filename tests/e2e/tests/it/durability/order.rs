//! The order of what a commit does, before its answer.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use tidegate_client::api::Save;
use tidegate_tests_support::syncs::{Call, Kind, Mark, Trace};

use super::scene::{Scene, directories, files};

/// Commits, and returns what the host did from the request to the answer, and perhaps a little longer.
fn traced_commit(scene: &Scene, save: &Save) -> Result<Trace> {
    let mark = scene.syncs.mark()?;
    scene.commit(save)?;
    scene.syncs.since(mark)
}

/// All that promise 1 says of a commit that brings a new shard.
fn is_durable(scene: &Scene, run: &str, step: u64, save: &Save, trace: &Trace) -> Result<()> {
    let shard = scene.shard(run, step);
    let staging = Path::new(&save.path).parent().context("a save has a directory")?;
    let answer = trace.answer(200)?;
    let rename = trace.rename(staging, &shard)?;

    // First the files, what is said of them, and every name.
    let record = staging.join("commit.cbor");
    let made = trace.last(Kind::Create, &record).context("commit.cbor is not made")?;
    let written = trace.last(Kind::Write, &record).context("commit.cbor is not written")?;
    for path in files(save).chain(directories(save)) {
        trace.synced(&path, None, rename)?;
    }
    trace.synced(&record, Some(written), rename)?;
    trace.synced(staging, Some(made), rename)?;

    // Then the names that the rename changed.
    let mut parents = Vec::new();
    for parent in [&shard, staging].map(Path::parent) {
        parents.push(trace.synced(parent.context("it has a parent")?, Some(rename), answer)?);
    }

    // Then the index, and only then the answer.
    let mut writes = trace.done(Kind::Write).filter(|call| scene.is_journal(&call.path));
    let written = writes.find(|write| parents.iter().all(|sync| write.is_after(sync)));
    let written = written.with_context(|| format!("NOT WRITTEN: the index, after the names, in\n{trace}"))?;
    trace.synced(&written.path, Some(written), answer).map(drop)
}

/// The name of a run's directory is made, and durable before the answer.
fn run_is_durable(scene: &Scene, run: &str, trace: &Trace) -> Result<()> {
    let runs = scene.tier().join("runs");
    let made = trace.last(Kind::MakeDir, &runs.join(run)).context("the run's directory is not made")?;
    trace.synced(&runs, Some(made), trace.answer(200)?).map(drop)
}

#[test]
fn files_and_names_are_synced_then_renamed_then_the_index_then_the_trainer_is_told() -> Result<()> {
    let mut scene = Scene::new()?;
    for (run, step) in [("gpt", 1), ("gpt", 2), ("bert", 1)] {
        let (save, _) = scene.save(run, step)?;
        let trace = traced_commit(&scene, &save)?;
        is_durable(&scene, run, step, &save, &trace)?;
        if step == 1 {
            run_is_durable(&scene, run, &trace)?;
        }
        // What seals it writes the index too.
        scene.wait_sealed(run, step)?;
    }
    // A host that has just started can't know whether the one before it made the run's name durable.
    scene.host.restart()?;
    let (save, _) = scene.save("gpt", 3)?;
    let trace = traced_commit(&scene, &save)?;
    is_durable(&scene, "gpt", 3, &save, &trace)?;
    trace.synced(&scene.tier().join("runs"), None, trace.answer(200)?)?;
    Ok(())
}

#[test]
fn every_name_that_a_new_host_made_on_its_tier_is_durable_before_its_first_commit_is_answered() -> Result<()> {
    let scene = Scene::new()?;
    let (save, _) = scene.save("gpt", 1)?;
    let commit = traced_commit(&scene, &save)?;
    let answer = commit.answer(200)?;
    let whole = scene.syncs.since(Mark::default())?;
    let (tier, shard) = (scene.tier(), scene.shard("gpt", 1));
    let staging = Path::new(&save.path).parent().context("a save has a directory")?;
    let names = whole.done(Kind::MakeDir).chain(whole.done(Kind::Create));
    let names = names.filter(|call| answer.is_after(call) && call.path.starts_with(tier));
    // What was moved is now where the commit has put it; what is gone again needs no sync.
    let still = |call: &&Call| match call.path.strip_prefix(staging) {
        Ok(below) => shard.join(below).exists(),
        Err(_) => call.path.exists(),
    };
    // A sign beside others, which only `kill -9` must not take: see the store's `strays`.
    let promised = |call: &&Call| !call.path.ends_with("answered");
    let mut seen = 0;
    for made in names.filter(still).filter(promised) {
        let parent = made.path.parent().unwrap_or(tier);
        whole.synced(parent, Some(made), answer).with_context(|| format!("the name of {}", made.path.display()))?;
        seen += 1;
    }
    ensure!(seen > 20, "{seen} names in\n{whole}");
    Ok(())
}

#[test]
fn a_commit_that_was_there_already_is_confirmed_only_when_what_says_so_is_synced() -> Result<()> {
    let mut scene = Scene::new()?;
    let (save, _) = scene.save("gpt", 1)?;
    scene.commit(&save)?;
    scene.wait_sealed("gpt", 1)?;
    // The host may have died between writing the index and syncing it, and the next one reads what was written.
    let restart = scene.syncs.mark()?;
    scene.host.restart()?;
    let (save, _) = scene.save("gpt", 1)?;
    let commit = scene.syncs.mark()?;
    ensure!(scene.commit(&save)?.reused, "it was committed before");
    let answered = scene.syncs.since(commit)?;
    let trace = scene.syncs.since(restart)?;
    let journal =
        trace.done(Kind::Sync).find(|call| scene.is_journal(&call.path)).context("the index is not synced")?;
    ensure!(answered.answer(200)?.is_after(journal), "NOT SYNCED: the index, in\n{trace}");
    Ok(())
}
