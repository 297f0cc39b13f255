//! What ends a host in the middle of a commit: an index that can't be synced, and a kill at each sync.

use anyhow::{Context, Result, bail, ensure};
use tidegate_tests_support::{
    syncs::{Call, Instead, Kind},
    tree::Tree,
    wait,
};

use super::scene::{PATIENCE, Scene, names_in, problem};

/// More syncs than a commit of the scene has.
const MANY: usize = 40;

/// After a restart: the shard is there with every byte and is known, or neither, and nothing is left of its save.
/// Committing it again works either way. True if it is there.
fn whole_or_absent(scene: &Scene, run: &str, step: u64, tree: &Tree) -> Result<bool> {
    let shard = scene.shard(run, step);
    let known = scene.checkpoint(run, step)?;
    if let Some(known) = &known {
        ensure!(known.complete && known.shards.iter().all(|shard| shard.nvme), "{known:?}");
        let found = Tree::read(&shard.join("files"))?;
        if let Some(difference) = tree.difference(&found) {
            bail!("HALF A SHARD: {run} step {step}: {difference}");
        }
    } else {
        ensure!(!shard.exists(), "{} is there and is not known", shard.display());
    }
    let staged = names_in(&scene.tier().join("staging"))?;
    ensure!(staged.is_empty(), "{staged:?}");
    let (save, _) = scene.save(run, step)?;
    ensure!(scene.commit(&save)?.reused == known.is_some(), "{known:?}");
    scene.wait_sealed(run, step)?;
    Ok(known.is_some())
}

#[test]
fn a_host_whose_index_cannot_be_synced_takes_no_more_commits_and_ends() -> Result<()> {
    let mut scene = Scene::new()?;
    let (save, _) = scene.save("gpt", 1)?;
    scene.commit(&save)?;
    scene.wait_sealed("gpt", 1)?;
    let (save, tree) = scene.save("gpt", 2)?;
    let (other, others) = scene.save("gpt", 3)?;
    scene.syncs.order(1, Instead::Fail, ".jnl")?;
    let mark = scene.syncs.mark()?;
    let told = problem(&scene.ask_commit(&save)?)?;
    ensure!((told.status, told.code.as_str()) == (503, "TG0028"), "{told:?}");
    // The host is about to go; whoever comes before it has gone is refused.
    if let Ok(answer) = scene.ask_commit(&other) {
        let told = problem(&answer)?;
        ensure!(["TG0027", "TG0028"].contains(&told.code.as_str()), "{told:?}");
    }
    let status = wait::until("the host to end", PATIENCE, || scene.host.try_wait())?;
    ensure!(status.code() == Some(1), "it ended with {status}");
    ensure!(scene.host.log_tail().contains("index could not be synced"), "{}", scene.host.log_tail());
    let trace = scene.syncs.since(mark)?;
    let journal = |call: &&Call| scene.is_journal(&call.path);
    let failed = trace.calls().iter().filter(journal).find(|call| call.error != 0).context("no sync failed")?;
    let more = trace.done(Kind::Write).filter(journal).find(|call| call.is_after(failed));
    ensure!(more.is_none(), "something was written after a failed sync:\n{trace}");

    scene.host.restart()?;
    ensure!(scene.checkpoint("gpt", 1)?.is_some(), "what was acknowledged is gone");
    whole_or_absent(&scene, "gpt", 2, &tree)?;
    ensure!(!whole_or_absent(&scene, "gpt", 3, &others)?, "a refused commit is there");
    Ok(())
}

#[test]
fn killed_at_any_sync_of_a_commit_a_host_has_the_shard_whole_or_not_at_all() -> Result<()> {
    let mut scene = Scene::new()?;
    let mut kept: Vec<bool> = Vec::new();
    for nth in 1..MANY {
        let run = format!("run-{nth}");
        let (save, tree) = scene.save(&run, 1)?;
        scene.syncs.order(nth, Instead::Kill, "/tier/")?;
        let answered = scene.ask_commit(&save).ok();
        scene.syncs.withdraw()?;
        scene.host.restart()?;
        let there = whole_or_absent(&scene, &run, 1, &tree).with_context(|| format!("killed at sync {nth}"))?;
        if let Some(answer) = answered {
            // It has no more syncs; if this one came, then to who works behind it.
            ensure!(answer.status == 200 && there, "LOST: {} {}", answer.status, answer.text());
            println!("kept after a kill at each sync: {kept:?}");
            ensure!(kept.len() > 12 && !kept[0], "{kept:?}");
            return Ok(());
        }
        kept.push(there);
    }
    bail!("a commit has more than {MANY} syncs")
}
