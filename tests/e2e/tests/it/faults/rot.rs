//! Bytes that are not what they were: on the tier, in the bucket, in both.

use std::fs;

use anyhow::{Result, ensure};
use tidegate_client::api::Tier;
use tidegate_tests_support::s3;

use super::scene::Scene;

/// What can happen to an object.
#[derive(Clone, Copy, Debug)]
enum Rot {
    Flipped,
    Truncated,
    Deleted,
}

const ROTS: [Rot; 3] = [Rot::Flipped, Rot::Truncated, Rot::Deleted];

impl Rot {
    /// Does it, and returns what was there.
    fn happen(self, scene: &Scene, object: &str) -> Result<Vec<u8>> {
        let bytes = s3::get(&scene.server, object)?;
        let mut rotten = bytes.clone();
        match self {
            Self::Flipped => rotten[bytes.len() / 2] ^= 1,
            Self::Truncated => rotten.truncate(bytes.len() / 2),
            Self::Deleted => {
                s3::delete(&scene.server, object)?;
                return Ok(bytes);
            }
        }
        s3::put(&scene.server, object, rotten)?;
        Ok(bytes)
    }
}

#[test]
fn rotten_objects_are_refused_and_told_and_nothing_of_them_is_restored() -> Result<()> {
    let mut scene = Scene::new()?;
    // Data of a file that the second rank shares with nobody, and its manifest.
    for (nth, (rot, part)) in
        ROTS.into_iter().flat_map(|rot| [(rot, "/00001/packs/"), (rot, "/rank-00001.cbor")]).enumerate()
    {
        let run = &format!("run-{nth}");
        scene.save(run, 7)?;
        scene.wait_replicated(run, 7)?;
        let object = &scene.objects(run, 7, part)?[0];
        // The nearer tier has it still.
        let restored = scene.restore(run, 7)?.map_err(|problem| anyhow::anyhow!("{rot:?} {part}: {problem:?}"))?;
        ensure!(restored.from.object == 0, "{restored:?}");
        // It lets its copy go while the other one is whole: not afterwards.
        scene.drop_from_nvme(run, 7)?;
        let bytes = rot.happen(&scene, object)?;

        let Err(problem) = scene.restore(run, 7)? else { anyhow::bail!("{rot:?} {part} was restored") };
        ensure!((problem.code.as_str(), problem.status) == ("TG0014", 502), "{rot:?} {part}: {problem:?}");
        let told = scene.events("shard-corrupt", run)?;
        let of_it = |field: &str| told.first().and_then(|event| event.what.get(field).cloned());
        ensure!(of_it("tier") == Some("object".into()) && of_it("rank") == Some(1.into()), "{rot:?} {part}: {told:?}");
        ensure!(!scene.checkpoint(run, 7)?.tiers.contains(&Tier::Object), "it counts as a verified copy");

        // An operator who finds the object in a backup puts it back.
        s3::put(&scene.server, object, bytes)?;
        let restored = scene.restore(run, 7)?;
        ensure!(restored.is_ok(), "{rot:?} {part}: {restored:?}");
    }
    Ok(())
}

#[test]
fn rot_on_the_tier_is_set_aside_and_the_bucket_takes_over() -> Result<()> {
    let mut scene = Scene::new()?;
    for (nth, rot) in ROTS.into_iter().enumerate() {
        let run = &format!("run-{nth}");
        scene.save(run, 7)?;
        scene.wait_replicated(run, 7)?;
        let file = scene.on_nvme(run, 7, 0).join("weights.bin");
        let mut bytes = fs::read(&file)?;
        match rot {
            Rot::Flipped => bytes[5 << 20] ^= 1,
            Rot::Truncated => bytes.truncate(5 << 20),
            Rot::Deleted => fs::remove_file(&file)?,
        }
        if !matches!(rot, Rot::Deleted) {
            fs::write(&file, bytes)?;
        }
        let restored = scene.restore(run, 7)?.map_err(|problem| anyhow::anyhow!("{rot:?}: {problem:?}"))?;
        ensure!(restored.from.object > 0, "{rot:?}: {restored:?}");
        let told = scene.events("shard-corrupt", run)?;
        ensure!(told.len() == 1 && told[0].what["tier"] == "nvme", "{rot:?}: {told:?}");
        let shards = scene.checkpoint(run, 7)?.shards;
        ensure!(!shards[0].nvme && shards[1].nvme && shards.iter().all(|shard| shard.object), "{rot:?}: {shards:?}");
        // It is not even tried again.
        let again = scene.restore(run, 7)?.map_err(|problem| anyhow::anyhow!("{rot:?}: {problem:?}"))?;
        ensure!(again.from.object >= restored.from.object, "{rot:?}: {again:?}");
    }
    Ok(())
}

#[test]
fn where_both_tiers_have_rotted_each_gives_what_it_has_right() -> Result<()> {
    let mut scene = Scene::new()?;
    scene.save("run", 7)?;
    scene.wait_replicated("run", 7)?;
    // The tier loses one file, the bucket another.
    fs::remove_file(scene.on_nvme("run", 7, 1).join("config.json"))?;
    let largest = |names: Vec<String>| -> Result<String> {
        let sized: Vec<_> =
            names.into_iter().map(|name| Ok((s3::get(&scene.server, &name)?.len(), name))).collect::<Result<_>>()?;
        Ok(sized.into_iter().max().expect("there are objects").1)
    };
    let object = largest(scene.objects("run", 7, "/00001/packs/")?)?;
    Rot::Flipped.happen(&scene, &object)?;
    let restored = scene.restore("run", 7)?.map_err(|problem| anyhow::anyhow!("{problem:?}"))?;
    ensure!(restored.from.object == 77, "{restored:?}");
    Ok(())
}

#[test]
fn a_copy_that_is_known_to_be_rotten_is_made_anew_before_it_counts_again() -> Result<()> {
    let mut scene = Scene::new()?;
    for (run, part) in [("data", "/00001/packs/"), ("manifest", "/rank-00001.cbor")] {
        scene.save(run, 7)?;
        scene.wait_replicated(run, 7)?;
        scene.drop_from_nvme(run, 7)?;
        let object = scene.objects(run, 7, part)?.remove(0);
        Rot::Flipped.happen(&scene, &object)?;
        ensure!(scene.restore(run, 7)?.is_err(), "a rotten {part} was restored");

        // The trainer still has the very same bytes and saves them again. With its next checkpoint the bot catches up.
        scene.save(run, 7)?;
        scene.save(run, 8)?;
        scene.wait_replicated(run, 7)?;
        scene.drop_from_nvme(run, 7)?;
        let restored = scene.restore(run, 7)?;
        ensure!(restored.is_ok(), "the rotten copy was taken for a good one: {restored:?}");
    }
    Ok(())
}
