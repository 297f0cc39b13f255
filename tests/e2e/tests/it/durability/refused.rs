//! Syncs that fail while the index holds: the commit fails, says so, and leaves nothing.

use anyhow::{Context, Result, bail, ensure};
use rustix::io::Errno;
use tidegate_tests_support::{
    syncs::{Instead, Kind},
    tree::Tree,
};

use super::scene::{Scene, problem};

/// More syncs than a commit of the scene has.
const MANY: usize = 40;

/// A save that is tried again gets its step.
fn try_again(scene: &Scene, run: &str, step: u64) -> Result<()> {
    let (save, tree) = scene.save(run, step)?;
    let committed = scene.commit(&save)?;
    ensure!(!committed.reused && committed.complete, "{committed:?}");
    let found = Tree::read(&scene.shard(run, step).join("files"))?;
    if let Some(difference) = tree.difference(&found) {
        bail!("{run} step {step}: {difference}");
    }
    scene.wait_sealed(run, step)
}

#[test]
fn a_file_that_cannot_be_synced_fails_the_commit_and_is_not_synced_again() -> Result<()> {
    let scene = Scene::new()?;
    let (save, _) = scene.save("gpt", 1)?;
    let file = format!("{}/optimizer/state.bin", save.path);
    scene.syncs.order(1, Instead::Fail, &file)?;
    let mark = scene.syncs.mark()?;
    let refused = scene.ask_commit(&save)?;
    let problem = problem(&refused)?;
    ensure!((problem.status, problem.code.as_str()) == (500, "TG0001"), "{problem:?}");
    ensure!(problem.detail.contains("sync") && problem.detail.contains(&file), "it names neither: {problem:?}");
    scene.left_nothing("gpt", 1, &save)?;

    try_again(&scene, "gpt", 1)?;
    let trace = scene.syncs.since(mark)?;
    let of_it = trace.calls().iter().filter(|call| call.path.ends_with("optimizer/state.bin"));
    let errors: Vec<_> = of_it.filter(|call| call.kind == Kind::Sync).map(|call| (&call.path, call.error)).collect();
    ensure!(errors.len() == 2 && errors[0].1 == Errno::IO.raw_os_error() && errors[1].1 == 0, "{errors:?}");
    ensure!(errors[0].0 != errors[1].0, "the same file was synced again: {errors:?}");
    Ok(())
}

#[test]
fn whichever_sync_of_a_commit_fails_the_commit_fails_leaves_nothing_and_can_be_tried_again() -> Result<()> {
    let scene = Scene::new()?;
    let mut failed = Vec::new();
    for nth in 1..MANY {
        // Another run each time, for its directory has to be made durable too.
        let run = format!("run-{nth}");
        let (save, _) = scene.save(&run, 1)?;
        scene.syncs.order(nth, Instead::Fail, "/tier/")?;
        let mark = scene.syncs.mark()?;
        let answer = scene.ask_commit(&save)?;
        scene.syncs.withdraw()?;
        let trace = scene.syncs.since(mark)?;
        let of = trace.calls().iter().find(|call| call.error == Errno::IO.raw_os_error());
        let of = of.with_context(|| format!("no sync failed in\n{trace}"))?;
        failed.push(of.path.clone());
        let told = problem(&answer).with_context(|| format!("{of}"))?;
        if scene.is_journal(&of.path) {
            // The last one; what it does to the host is told beside this file.
            println!("failed one at a time: {failed:#?}");
            ensure!(told.code == "TG0028" && failed.len() > 12, "{told:?} after {failed:#?}");
            return Ok(());
        }
        ensure!(told.code == "TG0001" && told.detail.contains("sync"), "{of}: {told:?}");
        scene.left_nothing(&run, 1, &save).with_context(|| format!("{of}"))?;
        try_again(&scene, &run, 1).with_context(|| format!("after {of}"))?;
        if of.path == scene.tier().join("runs") {
            // To sync a directory a second time says nothing about a name in it whose first sync failed.
            let run = of.path.join(&run);
            let trace = scene.syncs.since(mark)?;
            let made = trace.done(Kind::MakeDir).filter(|call| call.path == run).count();
            ensure!(made == 2, "the name of {} was not made anew", run.display());
        }
    }
    bail!("a commit has more than {MANY} syncs: {failed:#?}")
}
