//! A copy ends at its deadline, also if nobody has come to it by then.

use std::{sync::Arc, time::Duration};

use tidegate_core::{JobState, ManualClock, Timestamp};
use tidegate_tests_support::guest::component;

use crate::fixture::{Fixture, about, replicate_grants};

const MINUTE: Duration = Duration::from_secs(60);

/// Asks for a copy of each sealed checkpoint that starts in a minute, and gives up in two.
fn patient() -> Vec<u8> {
    let top = r#"(import "tidegate:bot/replication@0.2.0" "replicate"
            (func $replicate (param i32 i32 i64 i32 i32 i32 i32 i32 i64 i32 i64 i32 i64 i32 i32 i32 i32)))
        (data (i32.const 100) "default") (data (i32.const 200) "test")"#;
    let handle = "(if (i32.eq (local.get $what) (i32.const 3)) (then
        (call $replicate (local.get $run) (local.get $run_len) (local.get $step) (i32.const 100) (i32.const 7)
            (i32.const 0) (i32.const 0) (i32.const 0) (i64.add (local.get $time) (i64.const 60000000000))
            (i32.const 1) (i64.add (local.get $time) (i64.const 120000000000)) (i32.const 0) (i64.const 0)
            (i32.const 5) (i32.const 200) (i32.const 4) (i32.const 300))))";
    component(top, handle).unwrap()
}

/// A host whose bot has asked for a copy of step 1, and its clock, which stands still.
async fn with_a_copy_that_waits() -> (Arc<ManualClock>, Fixture) {
    let clock = Arc::new(ManualClock::at(Timestamp(1_000_000_000_000)));
    let fixture = Fixture::open_by(Arc::new(tempfile::tempdir().unwrap()), clock.clone()).await;
    fixture.install("bot", patient(), replicate_grants(), &["checkpoint-sealed"]).await;
    fixture.commit(1, 0, 1, &[("a", b"x")]).await;
    fixture.sealed(1).await;
    fixture.caught_up("bot").await;
    (clock, fixture)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_waits_ends_at_its_deadline_and_its_bot_is_told() {
    let (clock, fixture) = with_a_copy_that_waits().await;
    assert_eq!(fixture.host.jobs(None, 9).await.unwrap()[0].job.state, JobState::Queued);
    clock.advance(2 * MINUTE);
    // The queue looks when something new comes, not before its minute of real time is over: a clock by hand wakes nobody.
    fixture.commit(2, 0, 1, &[("a", b"x")]).await;
    let told = fixture.event(|event| event.kind.name() == "job-finished" && about(event, 1)).await;
    let told = serde_json::to_value(&told).unwrap();
    let why = "its deadline has passed: its turn had not come";
    assert_eq!((&told["by"], &told["ok"], &told["detail"]), (&"bot".into(), &false.into(), &why.into()));
    let jobs = fixture.host.jobs(None, 9).await.unwrap();
    let job = jobs.iter().find(|it| it.job.effect.step.get() == 1).unwrap();
    assert_eq!((job.job.state, job.job.failures), (JobState::Failed, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_passes_while_the_host_is_down_ends_the_copy_at_the_start() {
    let (clock, fixture) = with_a_copy_that_waits().await;
    let dir = fixture.dir.clone();
    fixture.host.drain().await;
    drop(fixture);
    clock.advance(3 * MINUTE);
    let fixture = Fixture::open_by(dir, clock).await;
    fixture.event(|event| event.kind.name() == "job-finished" && about(event, 1)).await;
}
