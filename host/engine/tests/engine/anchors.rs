//! Copies that are kept as differences from an anchor, and what that means for the anchor.

use std::time::Duration;

use tidegate_core::{Code, Tier};

use crate::fixture::{Fixture, about, replicate_grants, replicator, run, step};

/// Weights that drift from step to step.
fn weights(number: u64) -> Vec<u8> {
    let weight = |n: u32| (f64::from(n) * 0.37).sin() as f32 + number as f32 * 1e-6;
    (0..300_000).flat_map(|n| weight(n).to_le_bytes()).collect()
}

async fn replicated(fixture: &Fixture, number: u64) {
    fixture.commit(number, 0, 1, &[("weights", &weights(number))]).await;
    fixture.event(|e| e.kind.name() == "job-finished" && about(e, number)).await;
}

async fn bases(fixture: &Fixture, number: u64) -> Vec<u64> {
    let found = fixture.host.checkpoint(&run(), step(number)).await.unwrap();
    found.checkpoint.bases().into_iter().map(|base| base.get()).collect()
}

async fn pruned(fixture: &Fixture, number: u64, tier: Tier) -> Result<(), tidegate_engine::Error> {
    let pruning = fixture.host.prune(&run(), step(number), tier, "test".into(), false).await?;
    let job = pruning.job.unwrap();
    fixture
        .event(|e| e.kind.name() == "job-finished" && serde_json::to_string(e).unwrap().contains(job.as_str()))
        .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_on_an_anchor_keeps_it_also_when_another_host_is_asked() {
    let fixture = Fixture::new().await;
    fixture.install("replicate", replicator(), replicate_grants(), &["checkpoint-sealed"]).await;
    for number in 1..=4 {
        replicated(&fixture, number).await;
    }
    assert_eq!(bases(&fixture, 1).await, [0_u64; 0]);
    assert_eq!((bases(&fixture, 2).await, bases(&fixture, 4).await), (vec![1], vec![1]), "anchors alone are bases");
    let kept = |refused: tidegate_engine::Error| {
        assert_eq!(refused.code, Code::Refused, "{refused}");
        assert!(refused.detail.contains("kept there as differences from it"), "{refused}");
    };
    kept(pruned(&fixture, 1, Tier::Object).await.unwrap_err());
    pruned(&fixture, 1, Tier::Nvme).await.unwrap();
    pruned(&fixture, 3, Tier::Nvme).await.unwrap();
    let request =
        tidegate_engine::RestoreRequest { run: run(), step: Some(step(3)), ranks: None, into: None, owner: None };
    let restore = fixture.host.restore(request).await.unwrap();
    let restore = fixture.host.restore_info(&restore.id, Duration::from_secs(60)).await.unwrap();
    assert_eq!(std::fs::read(restore.path.join("rank-00000/weights")).unwrap(), weights(3));

    // A host that knows of it from the bucket alone keeps it as well.
    let fixture = fixture
        .restart(|dir| {
            std::fs::remove_dir_all(dir.join("tier")).unwrap();
        })
        .await;
    kept(pruned(&fixture, 1, Tier::Object).await.unwrap_err());
    for number in [2, 3] {
        pruned(&fixture, number, Tier::Object).await.unwrap();
    }
    kept(pruned(&fixture, 1, Tier::Object).await.unwrap_err());
    assert_eq!(bases(&fixture, 4).await, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anchor_goes_when_nothing_hangs_on_it_any_more() {
    let fixture = Fixture::new().await;
    fixture.install("replicate", replicator(), replicate_grants(), &["checkpoint-sealed"]).await;
    for number in 1..=2 {
        replicated(&fixture, number).await;
    }
    pruned(&fixture, 1, Tier::Nvme).await.unwrap();
    // Its anchor is not here any more: the next one begins anew.
    replicated(&fixture, 3).await;
    assert_eq!(bases(&fixture, 3).await, [0_u64; 0]);
    pruned(&fixture, 2, Tier::Object).await.unwrap();
    pruned(&fixture, 1, Tier::Object).await.unwrap();
    let unknown = fixture.host.checkpoint(&run(), step(1)).await.unwrap_err();
    assert_eq!(unknown.code, Code::UnknownCheckpoint);
}
