//! One version of a bot takes over from another, or is put back.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::json;
use tidegate_core::{Code, Grants, Triggers};
use tidegate_engine::{BotSpec, Change};
use tidegate_tests_support::guest::{PIN, STATE_SET, component, component_for_world, module};

use crate::fixture::{Fixture, pin_grants};

pub(crate) const STATE_GET: &str = r#"(import "tidegate:bot/state@0.2.0" "get" (func $state_get (param i32 i32 i32)))"#;

/// Counts the committed shards in its state, under `k`. `mark` makes it another component; `then` is done at each.
pub(crate) fn counter(mark: &str, then: &str) -> Vec<u8> {
    let top = format!(
        r#"{PIN} {STATE_SET} {STATE_GET} (data (i32.const 100) "k") (data (i32.const 300) "why") (data (i32.const 900) "{mark}")"#
    );
    let handle = format!(
        "(if (i32.eq (local.get $what) (i32.const 1)) (then
            (call $state_get (i32.const 100) (i32.const 1) (i32.const 600))
            (i64.store (i32.const 400) (i64.const 1))
            (if (i32.load8_u (i32.const 604)) (then
                (i64.store (i32.const 400) (i64.add (i64.load (i32.load (i32.const 608))) (i64.const 1)))))
            (call $state_set (i32.const 100) (i32.const 1) (i32.const 400) (i32.const 8) (i32.const 500))
            {then}))"
    );
    component(&top, &handle).unwrap()
}

pub(crate) const FAILS_AT_THREE: &str = "(if (i64.eq (local.get $step) (i64.const 3)) (then unreachable))";
pub(crate) const PINS: &str =
    "(call $pin (local.get $run) (local.get $run_len) (local.get $step) (i32.const 300) (i32.const 3)
    (i32.const 500))";

/// A counter that brings the state of the version before into another form: it adds 1000. `fails` fails instead.
pub(crate) fn migrating(fails: bool) -> Vec<u8> {
    let body = if fails {
        "unreachable"
    } else {
        "(call $state_get (i32.const 100) (i32.const 1) (i32.const 600))
        (if (i32.load8_u (i32.const 604)) (then
            (i64.store (i32.const 400) (i64.add (i64.load (i32.load (i32.const 608))) (i64.const 1000)))
            (call $state_set (i32.const 100) (i32.const 1) (i32.const 400) (i32.const 8) (i32.const 500))))"
    };
    let top = format!(r#"{STATE_SET} {STATE_GET} (data (i32.const 100) "k")"#);
    let exported = format!(
        r#"(func (export "migrate") (param i32 i32) (param i32 i32) (result i32) {body} i32.const 16)
        (func (export "handle")"#
    );
    let handle = format!("(if (i32.eq (local.get $what) (i32.const 1)) (then {FAILS_AT_THREE}))");
    let text = module(&top, &handle).replace("(func (export \"handle\")", &exported);
    component_for_world("policy-with-migration", &text).unwrap()
}

pub(crate) async fn spec(fixture: &Fixture, component: Vec<u8>) -> BotSpec {
    let plugin = fixture.host.add_plugin(component.into()).await.unwrap().digest;
    let triggers = Triggers { events: ["shard-committed".to_owned()].into(), runs: vec![] };
    BotSpec { plugin, settings: json!({}), grants: pin_grants(), triggers, mode: Default::default() }
}

pub(crate) fn counted(fixture: &Fixture) -> Option<u64> {
    let bytes = fixture.host.bot_state(&"bot".parse().unwrap(), "k").unwrap();
    bytes.map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
}

pub(crate) async fn commit(fixture: &Fixture, steps: std::ops::RangeInclusive<u64>) {
    for step in steps {
        fixture.commit(step, 0, 1, &[("a", b"x")]).await;
    }
}

/// Swaps two versions so often while shards are committed. Every event is counted once, whoever did it.
async fn swaps(times: usize) {
    let fixture = Arc::new(Fixture::new().await);
    let versions = [spec(&fixture, counter("A", "")).await, spec(&fixture, counter("B", "")).await];
    let name = || "bot".parse().unwrap();
    fixture.host.install(name(), versions[0].clone(), Change::default()).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let (writer, ended) = (fixture.clone(), done.clone());
    let load = tokio::spawn(async move {
        let mut steps = 0;
        while !ended.load(Ordering::SeqCst) {
            steps += 1;
            writer.commit(steps, 0, 1, &[("a", b"x")]).await;
        }
        steps
    });
    for nth in 1..=times {
        fixture.host.install(name(), versions[nth % 2].clone(), Change::default()).await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    let steps = load.await.unwrap();
    let bot = fixture.caught_up("bot").await;
    assert_eq!((counted(&fixture), bot.quarantined), (Some(steps), None), "{times} swaps");
    println!("{times} swaps, {steps} events");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_event_is_lost_or_handled_twice_over_many_swaps_under_load() {
    swaps(60).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`cargo xtask prove swaps` runs it"]
async fn no_event_is_lost_or_handled_twice_over_a_thousand_swaps_under_load() {
    swaps(1_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_fails_in_its_first_events_is_put_back_and_no_event_is_lost() {
    let fixture = Fixture::new().await;
    let (good, bad) = (spec(&fixture, counter("A", "")).await, spec(&fixture, counter("B", FAILS_AT_THREE)).await);
    fixture.host.install("bot".parse().unwrap(), good.clone(), Change::default()).await.unwrap();
    commit(&fixture, 1..=1).await;
    fixture.caught_up("bot").await;
    let swapped = fixture.host.install("bot".parse().unwrap(), bad.clone(), Change::default()).await.unwrap();
    assert_eq!((swapped.spec.plugin, swapped.previous), (bad.plugin, Some((good.plugin, 100))));
    commit(&fixture, 2..=5).await;
    let back = fixture.event(|event| event.kind.name() == "bot-rolled-back").await;
    let third = fixture.event(|e| e.kind.name() == "shard-committed" && crate::fixture::about(e, 3)).await;
    let told = serde_json::to_value(&back).unwrap();
    assert_eq!((told["at"].as_u64(), told["to"].as_str()), (Some(third.seq), Some(good.plugin.to_string().as_str())));
    while fixture.bot("bot").await.spec != good || counted(&fixture) != Some(5) {
        tokio::task::yield_now().await;
    }
    let bot = fixture.caught_up("bot").await;
    assert!(bot.quarantined.is_none() && bot.previous.is_none());
    assert_eq!(counted(&fixture), Some(5), "the version before has gone on where the other one failed");
    let (failed, why) = bot.rolled_back.unwrap();
    assert!(failed == bad && why.starts_with(&format!("event {}: ", third.seq)), "{why}");
    // It is at work after a restart, too, and what failed is known.
    let fixture = fixture.restart(|_| ()).await;
    let bot = fixture.bot("bot").await;
    assert_eq!((bot.spec, bot.rolled_back), (good.clone(), Some((failed, why))));
    // Another version is none that failed; the same that is installed anew is to be tried anew.
    let other = spec(&fixture, counter("C", "")).await;
    let bot = fixture.host.install("bot".parse().unwrap(), other, Change::default()).await.unwrap();
    assert!(bot.rolled_back.is_some());
    let bot = fixture.host.install("bot".parse().unwrap(), bad, Change::default()).await.unwrap();
    assert_eq!(bot.rolled_back, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settled_version_goes_into_quarantine_like_any_other() {
    let fixture = Fixture::new().await;
    let (good, bad) = (spec(&fixture, counter("A", "")).await, spec(&fixture, counter("B", FAILS_AT_THREE)).await);
    fixture.host.install("bot".parse().unwrap(), good, Change::default()).await.unwrap();
    fixture.host.install("bot".parse().unwrap(), bad.clone(), Change::Swap { probation: 2 }).await.unwrap();
    commit(&fixture, 1..=3).await;
    fixture.event(|event| event.kind.name() == "bot-quarantined").await;
    let bot = fixture.bot("bot").await;
    assert!(bot.quarantined.is_some() && bot.previous.is_none() && bot.spec == bad);
    let refused = fixture.host.roll_back(&"bot".parse().unwrap()).await.unwrap_err();
    assert_eq!(refused.code, Code::NoCandidate);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_brought_into_a_new_form_and_back_with_the_version() {
    let fixture = Fixture::new().await;
    let (old, new) = (spec(&fixture, counter("A", "")).await, spec(&fixture, migrating(false)).await);
    fixture.host.install("bot".parse().unwrap(), old.clone(), Change::default()).await.unwrap();
    commit(&fixture, 1..=2).await;
    fixture.caught_up("bot").await;
    fixture.host.install("bot".parse().unwrap(), new.clone(), Change::default()).await.unwrap();
    assert_eq!(counted(&fixture), Some(1002));
    // The operator wants the old one back: so is its state.
    fixture.host.roll_back(&"bot".parse().unwrap()).await.unwrap();
    assert_eq!((counted(&fixture), fixture.bot("bot").await.spec), (Some(2), old.clone()));
    // The same when it fails by itself, across a restart.
    fixture.host.install("bot".parse().unwrap(), new, Change::default()).await.unwrap();
    assert_eq!(counted(&fixture), Some(1002));
    let fixture = fixture.restart(|_| ()).await;
    commit(&fixture, 3..=4).await;
    while fixture.bot("bot").await.spec != old || counted(&fixture) != Some(4) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_fails_leaves_the_old_version_at_work_with_its_state() {
    let fixture = Fixture::new().await;
    let (old, new) = (spec(&fixture, counter("A", "")).await, spec(&fixture, migrating(true)).await);
    fixture.host.install("bot".parse().unwrap(), old.clone(), Change::default()).await.unwrap();
    commit(&fixture, 1..=1).await;
    fixture.caught_up("bot").await;
    let refused = fixture.host.install("bot".parse().unwrap(), new, Change::default()).await.unwrap_err();
    assert_eq!(refused.code, Code::NotMigrated, "{refused}");
    commit(&fixture, 2..=2).await;
    let bot = fixture.caught_up("bot").await;
    assert_eq!((counted(&fixture), bot.spec), (Some(2), old));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_not_granted_what_it_needs_never_runs() {
    let fixture = Fixture::new().await;
    let old = spec(&fixture, counter("A", "")).await;
    fixture.host.install("bot".parse().unwrap(), old.clone(), Change::default()).await.unwrap();
    let unknown = Triggers { events: ["no-such-kind".to_owned()].into(), runs: vec![] };
    let bad = BotSpec { triggers: unknown, grants: Grants::default(), ..old.clone() };
    assert!(fixture.host.install("bot".parse().unwrap(), bad, Change::default()).await.is_err());
    assert_eq!(fixture.bot("bot").await.spec, old);
}
