//! Checkpoints of which nothing is left: people don't see them, and whoever looks at the past does.

use serde_json::json;
use tidegate_core::{Code, Decision, Tier, Triggers};
use tidegate_engine::BotSpec;
use tidegate_tests_support::guest::{PIN, component};

use crate::fixture::{Fixture, about, pin_grants, replicate_grants, replicator, run, step};

/// Lists the run at each committed shard, and says how many there are by a pin of the step of that number.
fn counter() -> Vec<u8> {
    let top = format!(
        r#"(import "tidegate:bot/checkpoints@0.2.0" "list-checkpoints"
            (func $list (param i32 i32 i32 i64 i32 i32)))
        {PIN} (data (i32.const 300) "why")"#
    );
    let handle = "(if (i32.eq (local.get $what) (i32.const 1)) (then
        (call $list (local.get $run) (local.get $run_len) (i32.const 0) (i64.const 0) (i32.const 9) (i32.const 400))
        (call $pin (local.get $run) (local.get $run_len) (i64.load32_u (i32.const 412)) (i32.const 300) (i32.const 3)
            (i32.const 500))))";
    component(&top, handle).unwrap()
}

/// What it would have decided about all that has happened.
async fn decisions(fixture: &Fixture) -> Vec<Decision> {
    let plugin = fixture.host.add_plugin(counter().into()).await.unwrap().digest;
    let triggers = Triggers { events: ["shard-committed".to_owned()].into(), runs: vec![] };
    let spec = BotSpec { plugin, settings: json!({}), grants: pin_grants(), triggers, mode: Default::default() };
    fixture.host.try_out("counter".parse().unwrap(), spec, 0, 100).await.unwrap().decisions
}

fn counted(decisions: &[Decision]) -> Vec<u64> {
    decisions.iter().map(|it| it.asked[0].effect.step.get()).collect()
}

async fn listed(fixture: &Fixture) -> Vec<u64> {
    let listed = fixture.host.checkpoints(&run(), None, 9).await.unwrap();
    listed.iter().map(|it| it.checkpoint.step.get()).collect()
}

async fn gone(fixture: &Fixture, number: u64) {
    for tier in [Tier::Nvme, Tier::Object] {
        let pruning = fixture.host.prune(&run(), step(number), tier, "test".into(), false).await.unwrap();
        let job = pruning.job.unwrap();
        fixture.event(|e| e.kind.name() == "job-finished" && format!("{:?}", e.kind).contains(job.as_str())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_is_not_listed_and_a_replay_decides_as_if_it_were_there() {
    let fixture = Fixture::new().await;
    fixture.install("replicate", replicator(), replicate_grants(), &["checkpoint-sealed"]).await;
    for number in 1..=3 {
        fixture.commit(number, 0, 1, &[("a", b"x")]).await;
        fixture.event(|e| e.kind.name() == "job-finished" && about(e, number)).await;
    }
    let before = decisions(&fixture).await;
    assert_eq!(counted(&before), [1, 2, 3]);
    gone(&fixture, 2).await;
    gone(&fixture, 1).await;
    assert_eq!(listed(&fixture).await, [3]);
    assert_eq!(decisions(&fixture).await, before);
    // It stays so over a restart; what is committed from now on is seen beside what is left.
    let fixture = fixture.restart(|_| ()).await;
    assert_eq!((listed(&fixture).await, decisions(&fixture).await), (vec![3], before));
    assert_eq!(fixture.host.checkpoint(&run(), step(1)).await.unwrap_err().code, Code::UnknownCheckpoint);
    fixture.commit(4, 0, 1, &[("a", b"x")]).await;
    assert_eq!(counted(&decisions(&fixture).await), [1, 2, 3, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_is_gone_is_committed_again_with_other_bytes() {
    let fixture = Fixture::new().await;
    fixture.install("replicate", replicator(), replicate_grants(), &["checkpoint-sealed"]).await;
    for number in 1..=2 {
        fixture.commit(number, 0, 1, &[("a", b"x")]).await;
        fixture.event(|e| e.kind.name() == "job-finished" && about(e, number)).await;
    }
    gone(&fixture, 1).await;
    assert_eq!(listed(&fixture).await, [2]);
    fixture.commit(1, 0, 1, &[("a", b"other")]).await;
    assert_eq!(listed(&fixture).await, [2, 1]);
    let fixture = fixture.restart(|_| ()).await;
    let again = fixture.host.checkpoint(&run(), step(1)).await.unwrap().checkpoint;
    assert!(again.present(Tier::Nvme) && again.bytes() == 5, "{again:?}");
}
