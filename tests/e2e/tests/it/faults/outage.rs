//! The object store is away, and comes back.

use anyhow::{Context, Result, ensure};
use tidegate_client::{
    Paging,
    api::{Health, PruneRequest, Tier},
};
use tidegate_tests_support::{http::Request, wait};

use super::scene::{IN_THE_END, Scene};
use crate::ask::Ask;

fn object_ok(health: &Health) -> Result<bool> {
    let check = health.checks.iter().find(|check| check.name == "object").context("no check of the object store")?;
    Ok(check.ok)
}

#[test]
fn an_outage_of_the_store_delays_copies_and_nothing_else() -> Result<()> {
    let mut scene = Scene::new()?;
    // What the server can be trusted with is tried out once, which a busy one takes some seconds for.
    wait::until("the store to be told as there", IN_THE_END, || {
        let health = scene.ask.run(scene.ask.client.health())?;
        ensure!(health.ready, "{health:?}");
        Ok(object_ok(&health)?.then_some(()))
    })?;
    scene.save("run", 1)?;
    scene.wait_replicated("run", 1)?;

    scene.outage();
    // Saves do not wait for the store: these return although nothing can be copied.
    for step in 2..=5 {
        scene.save("run", step)?;
    }
    // Its last answer is believed for a while.
    wait::until("the outage to be told", IN_THE_END, || {
        let health = scene.ask.run(scene.ask.client.health())?;
        ensure!(health.ready, "{health:?}");
        Ok((!object_ok(&health)?).then_some(()))
    })?;
    let ready = scene.host.send(&Request::new("GET", "/readyz"))?;
    ensure!(ready.status == 200, "a trainer can save: {}", ready.text());

    // The jobs say what they wait for.
    wait::until("a job to tell why it waits", IN_THE_END, || {
        let jobs = scene.ask.run(scene.ask.client.jobs(&Paging::first(20)))?.items;
        let telling = jobs.iter().find(|job| job.verb == "replicate" && job.failures > 0 && job.state == "queued");
        let Some(job) = telling else { return Ok(None) };
        ensure!(job.detail.contains("object target default: could not"), "{job:?}");
        ensure!(job.not_before > job.updated_at, "{job:?}");
        Ok(Some(()))
    })?;

    // What has no copy yet is not let go, whoever asks.
    let request = PruneRequest { tier: Tier::Nvme, reason: "out of room".into(), dry_run: true };
    let refused =
        scene.ask.run(scene.ask.client.prune("run", 5, &request)).map_err(|error| error.code().map(str::to_owned));
    ensure!(refused == Err(Some("TG0023".into())), "{refused:?}");

    // A host that starts during the outage serves what it has, which is all that has no copy yet.
    scene.host.restart()?;
    scene.ask = Ask::new(&scene.host.socket())?;
    for step in 2..=5 {
        let restored = scene.restore("run", step)?.map_err(|problem| anyhow::anyhow!("{problem:?}"))?;
        ensure!(restored.from.object == 0, "{restored:?}");
    }
    scene.save("run", 6)?;

    // One with an empty tier does not take the silence for an empty bucket.
    let other = scene.another_host("other")?;
    let stranger = Ask::new(&other.socket())?;
    let asked = stranger.run(stranger.client.checkpoint("run", "latest"));
    let code = asked.as_ref().err().and_then(|error| error.code());
    ensure!(code == Some("TG0026"), "an outage was taken for an empty bucket: {asked:?}");

    scene.calm();
    for step in (2..=6).rev() {
        scene.wait_replicated("run", step)?;
    }
    wait::until("the store to be told as back", IN_THE_END, || {
        Ok(object_ok(&scene.ask.run(scene.ask.client.health())?)?.then_some(()))
    })?;
    // It does not ask for every stranger anew.
    let latest = wait::until("the bucket to be searched again", IN_THE_END, || {
        match stranger.run(stranger.client.checkpoint("run", "latest")) {
            Err(error) if error.code() == Some("TG0026") => Ok(None),
            latest => Ok(Some(latest?)),
        }
    })?;
    // How much was there when it searched is the chance of the moment; one that starts now finds all of it.
    ensure!(latest.tiers == [Tier::Object], "{latest:?}");
    drop(other);
    let other = scene.another_host("late")?;
    let stranger = Ask::new(&other.socket())?;
    let latest = stranger.run(stranger.client.checkpoint("run", "latest"))?;
    ensure!(latest.step == 6 && latest.tiers == [Tier::Object], "{latest:?}");
    let restored = scene.restore_at(&stranger, "run", 6)?;
    ensure!(restored.is_ok(), "{restored:?}");
    for step in 2..=6 {
        scene.drop_from_nvme("run", step)?;
        let restored = scene.restore("run", step)?.map_err(|problem| anyhow::anyhow!("{problem:?}"))?;
        ensure!(restored.from.nvme == 0, "{restored:?}");
    }
    Ok(())
}
