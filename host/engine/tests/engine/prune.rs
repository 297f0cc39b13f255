use std::time::Duration;

use tidegate_core::{BotName, Code, EventKind, Tier};
use tidegate_tests_support::guest::{PIN, component};

use crate::fixture::{Fixture, about, pin_grants, replicate_grants, replicator, run, step};

#[tokio::test(flavor = "multi_thread")]
async fn the_guard_keeps_what_has_no_other_verified_copy() {
    let fixture = Fixture::new().await;
    for number in 1..=2 {
        fixture.commit(number, 0, 1, &[("a", b"x")]).await;
        fixture.sealed(number).await;
    }
    for (number, rule) in [(1, "never had them"), (2, "newest complete")] {
        let refused = fixture.host.prune(&run(), step(number), Tier::Nvme, "test".into(), false).await.unwrap_err();
        assert_eq!(refused.code, Code::Refused);
        assert!(refused.detail.contains(rule), "{refused}");
    }
    assert!(fixture.host.jobs(None, 9).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replicated_checkpoint_is_pruned_from_nvme_and_then_restored_from_object_storage() {
    let fixture = Fixture::new().await;
    fixture.install("replicate", replicator(), replicate_grants(), &["checkpoint-sealed"]).await;
    fixture.commit(1, 0, 1, &[("a", b"bytes of step 1")]).await;
    fixture.event(|event| event.kind.name() == "checkpoint-replicated").await;
    fixture.event(|event| event.kind.name() == "job-finished").await;
    let pruning = fixture.host.prune(&run(), step(1), Tier::Nvme, "test".into(), true).await.unwrap();
    assert!(pruning.job.is_none() && pruning.because.contains("a verified copy stays on object"), "{pruning:?}");
    fixture.host.prune(&run(), step(1), Tier::Nvme, "test".into(), false).await.unwrap();
    fixture.event(|event| event.kind.name() == "checkpoint-pruned").await;
    let refused = fixture.host.prune(&run(), step(1), Tier::Object, "test".into(), false).await.unwrap_err();
    assert!(refused.detail.contains("newest complete"), "{refused}");
    let request = tidegate_engine::RestoreRequest { run: run(), step: None, ranks: None, into: None, owner: None };
    let restore = fixture.host.restore(request).await.unwrap();
    let restore = fixture.host.restore_info(&restore.id, Duration::from_secs(60)).await.unwrap();
    assert_eq!(restore.state, tidegate_engine::RestoreState::Done);
    assert_eq!((restore.nvme, restore.object), (0, 15));
    assert_eq!(std::fs::read(restore.path.join("rank-00000/a")).unwrap(), b"bytes of step 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_holds_until_it_is_taken_back_and_survives_a_restart() {
    let fixture = Fixture::new().await;
    fixture.install("replicate", replicator(), replicate_grants(), &["checkpoint-sealed"]).await;
    for number in 1..=2 {
        fixture.commit(number, 0, 1, &[("a", b"x")]).await;
        fixture.event(|e| e.kind.name() == "job-finished" && about(e, number)).await;
    }
    fixture.host.prune(&run(), step(1), Tier::Nvme, "test".into(), false).await.unwrap();
    fixture.event(|event| event.kind.name() == "checkpoint-pruned").await;
    fixture.host.pin(&run(), step(1), "for the paper".into()).await.unwrap();
    let fixture = fixture.restart(|_| ()).await;
    let refused = fixture.host.prune(&run(), step(1), Tier::Object, "test".into(), false).await.unwrap_err();
    assert!(refused.detail.contains("pinned by operator"), "{refused}");
    fixture.host.unpin(&run(), step(1), None, "printed".into()).await.unwrap();
    fixture.host.prune(&run(), step(1), Tier::Object, "test".into(), false).await.unwrap();
    fixture.event(|e| e.kind.name() == "checkpoint-pruned" && format!("{:?}", e.kind).contains("Object")).await;
    assert_eq!(fixture.host.checkpoint(&run(), step(1)).await.unwrap_err().code, Code::UnknownCheckpoint);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_lifts_the_pin_of_a_bot_that_was_removed() {
    let fixture = Fixture::new().await;
    let top = format!(r#"{PIN} (data (i32.const 300) "why")"#);
    let pins = "(if (i32.eq (local.get $what) (i32.const 1)) (then
        (call $pin (local.get $run) (local.get $run_len) (local.get $step) (i32.const 300) (i32.const 3) (i32.const 500))))";
    fixture.install("ghost", component(&top, pins).unwrap(), pin_grants(), &["shard-committed"]).await;
    fixture.commit(1, 0, 1, &[("a", b"x")]).await;
    fixture.event(|event| event.kind.name() == "pinned").await;
    fixture.host.uninstall(&"ghost".parse().unwrap()).await.unwrap();

    let refused = fixture.host.unpin(&run(), step(1), None, "printed".into()).await.unwrap_err();
    assert_eq!(refused.code, Code::OthersPin);
    assert!(refused.detail.contains("it is pinned by ghost") && refused.detail.contains("--by ghost"), "{refused}");
    let ghost: Option<BotName> = Some("ghost".parse().unwrap());
    let lifted = fixture.host.unpin(&run(), step(1), ghost.clone(), "the bot is gone".into()).await.unwrap();
    assert!(!lifted.checkpoint.pinned());
    let told = fixture.event(|event| event.kind.name() == "unpinned").await.kind;
    let EventKind::Unpinned { by, lifted_by, reason, .. } = told else { panic!("{told:?}") };
    assert_eq!((by.as_str(), lifted_by.as_deref(), reason.as_str()), ("ghost", Some("operator"), "the bot is gone"));
    // What is asked twice is there already.
    fixture.host.unpin(&run(), step(1), ghost, "again".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_newest_is_rotten_the_last_good_one_stays() {
    let fixture = Fixture::new().await;
    fixture.install("replicate", replicator(), replicate_grants(), &["checkpoint-sealed"]).await;
    for number in 1..=2 {
        fixture.commit(number, 0, 1, &[("a", b"bytes")]).await;
        fixture.event(|e| e.kind.name() == "job-finished" && about(e, number)).await;
    }
    for number in 1..=2 {
        fixture.host.prune(&run(), step(number), Tier::Nvme, "test".into(), false).await.unwrap();
        fixture.event(|e| e.kind.name() == "checkpoint-pruned" && about(e, number)).await;
    }
    // Step 2 is nowhere but in the bucket, and there it rots.
    let data = fixture.dir.path().join("object/v1/runs/r/0000000000000002/00000/packs");
    let object = std::fs::read_dir(data).unwrap().next().unwrap().unwrap().path();
    std::fs::write(object, b"rot").unwrap();
    let request =
        tidegate_engine::RestoreRequest { run: run(), step: Some(step(2)), ranks: None, into: None, owner: None };
    let id = fixture.host.restore(request).await.unwrap().id;
    let restore = fixture.host.restore_info(&id, Duration::from_secs(60)).await.unwrap();
    assert!(matches!(restore.state, tidegate_engine::RestoreState::Failed(_)), "{restore:?}");
    let refused = fixture.host.prune(&run(), step(1), Tier::Object, "test".into(), false).await.unwrap_err();
    assert!(refused.detail.contains("newest complete checkpoint with a verified copy"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_who_ask_at_once_get_jobs_of_their_own() {
    let fixture = Fixture::new().await;
    fixture.install("replicate", replicator(), replicate_grants(), &["checkpoint-sealed"]).await;
    for number in 1..=2 {
        fixture.commit(number, 0, 1, &[("a", b"bytes")]).await;
        fixture.event(|e| e.kind.name() == "job-finished" && about(e, number)).await;
    }
    let ask = |number, tier| {
        let host = fixture.host.clone();
        tokio::spawn(async move { host.prune(&run(), step(number), tier, "test".into(), false).await })
    };
    let asked = [ask(1, Tier::Nvme), ask(1, Tier::Object), ask(2, Tier::Nvme)];
    let mut ids = std::collections::BTreeSet::new();
    for one in asked {
        // Of the two for step 1 the guard may refuse the later one.
        ids.extend(one.await.unwrap().ok().and_then(|pruning| pruning.job));
    }
    for id in &ids {
        fixture.event(|e| format!("{:?}", e.kind).contains(id.as_str())).await;
    }
    assert!(ids.len() >= 2, "{ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_somebody_deleted_behind_the_hosts_back_is_not_relied_on() {
    let fixture = Fixture::new().await;
    fixture.install("replicate", replicator(), replicate_grants(), &["checkpoint-sealed"]).await;
    for number in 1..=2 {
        fixture.commit(number, 0, 1, &[("a", b"bytes")]).await;
        fixture.event(|e| e.kind.name() == "job-finished" && about(e, number)).await;
    }
    std::fs::remove_dir_all(fixture.dir.path().join("object/v1/runs/r/0000000000000002/00000")).unwrap();
    std::fs::remove_dir_all(fixture.dir.path().join("object/v1/runs/r/0000000000000001")).unwrap();
    for number in [2, 1] {
        let asked = fixture.host.prune(&run(), step(number), Tier::Nvme, "test".into(), false).await.unwrap();
        let job = asked.job.unwrap();
        let end = fixture.event(|e| format!("{:?}", e.kind).contains(job.as_str())).await;
        assert!(format!("{:?}", end.kind).contains("not whole any more"), "{end:?}");
        fixture.event(|e| e.kind.name() == "shard-corrupt" && about(e, number)).await;
        let left = fixture.host.checkpoint(&run(), step(number)).await.unwrap().checkpoint;
        assert_eq!((left.verified(Tier::Nvme), left.verified(Tier::Object)), (true, false));
    }
}
