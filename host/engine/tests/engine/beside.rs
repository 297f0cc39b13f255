//! A version runs beside the one at work: it is compared, counted, and takes over or not.

use serde_json::json;
use tidegate_core::{Code, Grants};
use tidegate_engine::{BotSpec, Change, Comparison};
use tidegate_store::{Space, Tx};
use tidegate_tests_support::guest::{component, with_manifest};

use crate::{
    fixture::{Fixture, run},
    versions::{FAILS_AT_THREE, PINS, commit, counted, counter, spec},
};

async fn compared(fixture: &Fixture) -> Comparison {
    fixture.caught_up("bot").await.candidate.unwrap().1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_beside_another_has_no_effects_and_is_told_apart_by_what_it_decides() {
    let fixture = Fixture::new().await;
    let (old, new) = (spec(&fixture, counter("A", "")).await, spec(&fixture, counter("B", PINS)).await);
    let bot = || "bot".parse().unwrap();
    assert_eq!(fixture.host.install(bot(), new.clone(), Change::Beside).await.unwrap_err().code, Code::UnknownBot);
    fixture.host.install(bot(), old.clone(), Change::default()).await.unwrap();
    commit(&fixture, 1..=1).await;
    fixture.caught_up("bot").await;
    fixture.host.install(bot(), new.clone(), Change::Beside).await.unwrap();
    commit(&fixture, 2..=4).await;
    let info = fixture.caught_up("bot").await;
    let (spec, comparison) = info.candidate.unwrap();
    assert_eq!((spec, info.spec), (new.clone(), old));
    assert_eq!((comparison.same, comparison.different, comparison.stopped), (0, 3, None));
    let difference = &comparison.differences[0];
    assert_eq!((difference.now.asked.len(), difference.candidate.asked.len()), (0, 1));
    assert_eq!(difference.candidate.asked[0].effect.reason, "why");
    for checkpoint in fixture.host.checkpoints(&run(), None, 9).await.unwrap() {
        assert!(!checkpoint.checkpoint.pinned(), "nothing of it is carried out");
    }
    let promoted = fixture.host.promote(&bot(), 10, false).await.unwrap();
    assert_eq!((promoted.bot.spec, promoted.bot.candidate, promoted.warnings), (new, None, vec![]));
    commit(&fixture, 5..=5).await;
    fixture.caught_up("bot").await;
    assert!(fixture.host.checkpoint(&run(), crate::fixture::step(5)).await.unwrap().checkpoint.pinned());
    assert_eq!(counted(&fixture), Some(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_beside_another_that_keeps_failing_is_not_tried_for_ever_and_disturbs_nobody() {
    let fixture = Fixture::new().await;
    let (old, new) = (spec(&fixture, counter("A", "")).await, spec(&fixture, counter("B", "unreachable")).await);
    fixture.host.install("bot".parse().unwrap(), old, Change::default()).await.unwrap();
    fixture.host.install("bot".parse().unwrap(), new, Change::Beside).await.unwrap();
    commit(&fixture, 1..=20).await;
    let info = fixture.caught_up("bot").await;
    let comparison = info.candidate.unwrap().1;
    assert!(comparison.stopped.unwrap().contains("16 times"), "{:?}", comparison.ledger);
    assert_eq!((comparison.different, comparison.failed), (0, 16));
    assert_eq!((counted(&fixture), info.ledger.faults), (Some(20), 0));
    fixture.host.abandon(&"bot".parse().unwrap()).await.unwrap();
    assert_eq!(fixture.bot("bot").await.candidate, None);
    let none = fixture.host.promote(&"bot".parse().unwrap(), 1, false).await.unwrap_err();
    assert_eq!(none.code, Code::NoCandidate);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_failed_takes_over_only_when_that_is_forced() {
    let fixture = Fixture::new().await;
    let (old, new) = (spec(&fixture, counter("A", "")).await, spec(&fixture, counter("B", FAILS_AT_THREE)).await);
    let bot = || "bot".parse().unwrap();
    fixture.host.install(bot(), old.clone(), Change::default()).await.unwrap();
    commit(&fixture, 1..=1).await;
    fixture.caught_up("bot").await;
    fixture.host.install(bot(), new.clone(), Change::Beside).await.unwrap();
    commit(&fixture, 2..=4).await;
    let comparison = compared(&fixture).await;
    assert_eq!((comparison.same, comparison.different, comparison.failed), (2, 0, 1));
    let third = fixture.event(|e| e.kind.name() == "shard-committed" && crate::fixture::about(e, 3)).await;
    let last = comparison.last_failure.unwrap();
    assert!(last.starts_with(&format!("event {}: trapped", third.seq)), "{last}");
    assert_eq!(comparison.differences.len(), 1, "what it failed on is shown");
    let refused = fixture.host.promote(&bot(), 10, false).await.unwrap_err();
    assert_eq!(refused.code, Code::CandidateFailed);
    assert!(refused.detail.contains("on 1 of 3 events") && refused.detail.contains(&last), "{refused}");
    let info = fixture.bot("bot").await;
    assert_eq!((info.spec, info.candidate.map(|it| it.0)), (old, Some(new.clone())), "nothing has changed");
    let promoted = fixture.host.promote(&bot(), 10, true).await.unwrap();
    assert_eq!(promoted.bot.spec, new);
    assert!(promoted.warnings.len() == 1 && promoted.warnings[0].contains(&last), "{:?}", promoted.warnings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_tells_that_nothing_was_seen_of_a_version_and_what_it_loses() {
    let fixture = Fixture::new().await;
    let manifest = json!({
        "manifest": 1, "name": "counter", "version": "1.0.0", "worlds": ["tidegate:bot/policy@0.2.0"],
        "wants": { "state": { "why": "to count" }, "pin": { "why": "to keep what counts", "optional": true } },
    });
    let may_pin = with_manifest(counter("B", PINS), manifest).unwrap();
    let (old, new) = (spec(&fixture, counter("A", "")).await, spec(&fixture, may_pin).await);
    let bot = || "bot".parse().unwrap();
    fixture.host.install(bot(), old.clone(), Change::default()).await.unwrap();
    fixture.caught_up("bot").await;
    let less = BotSpec { grants: Grants { pin: vec![], ..old.grants.clone() }, ..new };
    fixture.host.install(bot(), less, Change::Beside).await.unwrap();
    let warnings = fixture.host.promote(&bot(), 10, false).await.unwrap().warnings;
    let [unseen, lost] = &warnings[..] else { panic!("{warnings:?}") };
    assert!(unseen.contains("no event") && lost.contains("`pin`"), "{warnings:?}");
}

/// Says a line and asks to be woken, under `w`, for each committed shard.
fn asker() -> Vec<u8> {
    let top = r#"(import "tidegate:bot/log@0.2.0" "line" (func $line (param i32 i32 i32)))
        (import "tidegate:bot/schedule@0.2.0" "wake-at" (func $wake (param i64 i32 i32 i32 i32 i32)))
        (data (i32.const 100) "w") (data (i32.const 300) "why")"#;
    let handle = "(if (i32.eq (local.get $what) (i32.const 1)) (then
        (call $line (i32.const 1) (i32.const 300) (i32.const 3))
        (call $wake (i64.add (local.get $time) (i64.const 3600000000000)) (i32.const 100) (i32.const 1)
            (i32.const 300) (i32.const 3) (i32.const 500))))";
    component(top, handle).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_counts_once_however_often_its_group_is_tried() {
    let fixture = Fixture::new().await;
    let (old, new) = (spec(&fixture, asker()).await, spec(&fixture, counter("B", "")).await);
    fixture.host.install("bot".parse().unwrap(), old, Change::default()).await.unwrap();
    fixture.caught_up("bot").await;
    fixture.host.install("bot".parse().unwrap(), new, Change::Beside).await.unwrap();
    // What stands under the wake's key can't be read: no group that sets it can be written.
    let put = |value: Option<Vec<u8>>| {
        let damage = move |tx: &mut Tx<'_>| {
            tx.put_bytes(Space::Wakes, b"kbot\0w", value);
            Ok::<_, tidegate_store::Error>(())
        };
        fixture.store.index().write_async(damage)
    };
    put(Some(b"no record".to_vec())).await.unwrap();
    commit(&fixture, 1..=1).await;
    while fixture.bot("bot").await.log.len() < 2 {
        tokio::task::yield_now().await;
    }
    assert!(fixture.bot("bot").await.lag > 0, "it is tried over and over");
    put(None).await.unwrap();
    let comparison = compared(&fixture).await;
    assert_eq!((comparison.events(), comparison.ledger.handled), (1, 1));
}
