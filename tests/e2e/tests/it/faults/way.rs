//! Faults on the way to the object store and back.

use std::time::Duration;

use anyhow::{Result, ensure};
use tidegate_tests_support::fault_proxy::Fault;

use super::scene::Scene;

#[test]
fn every_fault_on_the_way_is_survived_by_copies_and_restores() -> Result<()> {
    let mut scene = Scene::new()?;
    let faults = [
        (Fault::SlowDown { retry_after: None }, 0.3),
        (Fault::ResetBeforeRequest, 0.2),
        (Fault::ResetBeforeResponse, 0.2),
        (Fault::ResetDuringResponse, 0.15),
        (Fault::TruncateResponse, 0.15),
        (Fault::CorruptRequest, 0.15),
        (Fault::CorruptResponse, 0.05),
        (Fault::Delay(Duration::from_millis(50)), 0.5),
    ];
    for (step, (fault, often)) in (1..).zip(&faults) {
        scene.inject_at_once(fault, *often);
        let run = fault.name();
        scene.save(run, step)?;
        scene.wait_replicated(run, step)?;
        scene.drop_from_nvme(run, step)?;
        scene.inject_at_once(fault, *often);
        let restore = scene.restore(run, step)?;
        let restored = restore.map_err(|problem| anyhow::anyhow!("{run}: {problem:?}"))?;
        ensure!(restored.from.object == scene.bytes(run, step), "{restored:?}");
        println!("{run}: {}", scene.proxy.counts());
        ensure!(scene.proxy.counts().of(run) >= 2, "{run} was hardly injected");
    }
    // What was written through all that is right, read without any of it.
    scene.calm();
    for (step, (fault, _)) in (1..).zip(&faults) {
        let restored = scene.restore(fault.name(), step)?;
        ensure!(restored.is_ok(), "{restored:?}");
    }
    Ok(())
}

#[test]
fn a_store_whose_every_answer_is_damaged_is_never_believed() -> Result<()> {
    let mut scene = Scene::new()?;
    scene.save("run", 1)?;
    scene.wait_replicated("run", 1)?;
    scene.drop_from_nvme("run", 1)?;
    scene.inject(Fault::CorruptResponse, 1.0);
    // Whether the host takes the bytes for wrong or the store for absent, nothing comes back but an error.
    let into = scene.host.dir().with_extension("never");
    if let Some(restored) = super::scene::try_restore(&scene.ask, "run", 1, &into)? {
        let problem = restored.expect_err("damaged bytes were restored");
        ensure!(problem.code == "TG0014", "{problem:?}");
    }
    ensure!(!into.exists(), "a directory was left");
    scene.calm();
    let restored = scene.restore("run", 1)?;
    ensure!(restored.is_ok(), "the bytes in the store were right all the time: {restored:?}");
    Ok(())
}
