//! Events that a bot could not handle.

use tidegate_core::Code;
use tidegate_tests_support::guest::{PIN, STATE_SET, component};

use crate::fixture::{Fixture, pin_grants, run, step};

/// Pins each committed shard and keeps its step; fails at step 2 as long as it is that version.
fn bot(fails: bool) -> Vec<u8> {
    let top = format!(r#"{PIN} {STATE_SET} (data (i32.const 100) "k") (data (i32.const 300) "why")"#);
    let fails = if fails { "(if (i64.eq (local.get $step) (i64.const 2)) (then unreachable))" } else { "" };
    let handle = format!(
        "(if (i32.eq (local.get $what) (i32.const 1)) (then
            (call $pin (local.get $run) (local.get $run_len) (local.get $step) (i32.const 300) (i32.const 3) (i32.const 500))
            (i64.store (i32.const 400) (local.get $step))
            (call $state_set (i32.const 100) (i32.const 1) (i32.const 400) (i32.const 8) (i32.const 500))
            {fails}))"
    );
    component(&top, &handle).unwrap()
}

async fn quarantined() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.install("bot", bot(true), pin_grants(), &["shard-committed"]).await;
    for step in 1..=3 {
        fixture.commit(step, 0, 1, &[("a", b"x")]).await;
    }
    fixture.event(|event| event.kind.name() == "bot-quarantined").await;
    fixture
}

async fn pinned(fixture: &Fixture) -> Vec<bool> {
    let mut pinned = Vec::new();
    for number in 1..=3 {
        pinned.push(fixture.host.checkpoint(&run(), step(number)).await.unwrap().checkpoint.pinned());
    }
    pinned
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_parked_with_all_that_is_needed_and_a_resume_that_goes_well_takes_it_out() {
    let fixture = quarantined().await;
    let name = "bot".parse().unwrap();
    let letters = fixture.host.letters(&name).await.unwrap();
    let info = fixture.bot("bot").await;
    assert_eq!((letters.len(), info.parked), (1, Some(letters[0].event.seq)));
    assert!(letters[0].fault.contains("unreachable") && letters[0].plugin == info.spec.plugin);
    assert_eq!(letters[0].settings, "{}");
    for refused in [
        fixture.host.replay(&name, letters[0].event.seq).await.unwrap_err(),
        fixture.host.drop_letter(&name, letters[0].event.seq).await.unwrap_err(),
    ] {
        assert_eq!((refused.code, refused.code.status()), (Code::StandsAt, 409), "{refused}");
    }
    // Tried again by the same version it is parked anew, by another one it is handled.
    fixture.host.resume(&name).await.unwrap();
    fixture.event(|event| event.kind.name() == "bot-quarantined" && event.seq > letters[0].event.seq + 4).await;
    fixture.install("bot", bot(false), pin_grants(), &["shard-committed"]).await;
    fixture.caught_up("bot").await;
    assert_eq!((fixture.host.letters(&name).await.unwrap().len(), fixture.bot("bot").await.parked), (0, None));
    assert_eq!(pinned(&fixture).await, [true, true, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skipped_event_waits_for_a_version_that_can_handle_it_and_is_handled_once() {
    let fixture = quarantined().await;
    let name = "bot".parse().unwrap();
    fixture.host.skip(&name).await.unwrap();
    fixture.caught_up("bot").await;
    assert_eq!(pinned(&fixture).await, [true, false, true]);
    let event = fixture.host.letters(&name).await.unwrap()[0].event.seq;
    // The same version fails again: it stays parked, the bot goes on.
    fixture.host.replay(&name, event).await.unwrap();
    while fixture.host.letters(&name).await.unwrap()[0].replay {
        tokio::task::yield_now().await;
    }
    assert!(fixture.bot("bot").await.quarantined.is_none());
    let fixture = fixture.restart(|_| ()).await;
    fixture.install("bot", bot(false), pin_grants(), &["shard-committed"]).await;
    fixture.host.replay(&name, event).await.unwrap();
    while !fixture.host.letters(&name).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(pinned(&fixture).await, [true, true, true]);
    let head = fixture.caught_up("bot").await;
    assert_eq!(head.lag, 0, "its cursor stands where it stood");
    assert_eq!(fixture.host.replay(&name, event).await.unwrap_err().code, Code::UnknownEvent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_event_can_be_thrown_away_and_goes_with_its_bot() {
    let fixture = quarantined().await;
    let name = "bot".parse().unwrap();
    fixture.host.skip(&name).await.unwrap();
    assert_eq!(fixture.host.skip(&name).await.unwrap_err().code, Code::Ended);
    let event = fixture.host.letters(&name).await.unwrap()[0].event.seq;
    fixture.host.drop_letter(&name, event).await.unwrap();
    assert!(fixture.host.letters(&name).await.unwrap().is_empty());

    let fixture = quarantined().await;
    fixture.host.uninstall(&name).await.unwrap();
    assert_eq!(fixture.host.letters(&name).await.unwrap_err().code, Code::UnknownBot);
    fixture.install("bot", bot(false), pin_grants(), &[]).await;
    assert!(fixture.host.letters(&name).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_in_quarantine_that_is_installed_again_as_it_is_tries_once_more() {
    let fixture = quarantined().await;
    let first = fixture.event(|event| event.kind.name() == "bot-quarantined").await;
    fixture.install("bot", bot(true), pin_grants(), &["shard-committed"]).await;
    fixture.event(|event| event.kind.name() == "bot-quarantined" && event.seq > first.seq).await;
    assert_eq!(fixture.host.letters(&"bot".parse().unwrap()).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_whose_component_is_gone_is_said_to_be_stopped_and_goes_on_when_it_is_back() {
    let fixture = Fixture::new().await;
    let component = bot(false);
    fixture.install("bot", component.clone(), pin_grants(), &["shard-committed"]).await;
    let fixture = fixture
        .restart(|dir| {
            let kept = std::fs::read_dir(dir.join("plugins")).unwrap();
            kept.for_each(|entry| std::fs::remove_file(entry.unwrap().path()).unwrap());
        })
        .await;
    fixture.commit(1, 0, 1, &[("a", b"x")]).await;
    let stopped = fixture.bot("bot").await;
    assert!(stopped.stopped.unwrap().contains("was not uploaded") && stopped.lag > 0);
    let bots = async || fixture.host.health().await.checks.into_iter().find(|check| check.name == "bots").unwrap();
    assert!(bots().await.detail.starts_with("1 of 1 stand still: bot (stopped)"));
    assert!(fixture.host.resume(&"bot".parse().unwrap()).await.is_err(), "it is still gone");
    fixture.host.add_plugin(component.into()).await.unwrap();
    while fixture.bot("bot").await.stopped.is_some() {
        tokio::task::yield_now().await;
    }
    fixture.caught_up("bot").await;
    assert!(bots().await.ok && fixture.host.checkpoint(&run(), step(1)).await.unwrap().checkpoint.pinned());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wake_that_a_bot_is_led_past_frees_its_key() {
    let fixture = Fixture::new().await;
    // Asks at its start for all the keys there are, one of them at once; fails on that one; asks for one more then.
    let top = r#"(import "tidegate:bot/schedule@0.2.0" "wake-at" (func $wake (param i64 i32 i32 i32 i32 i32)))
        (data (i32.const 300) "why")
        (func $ask (param $due i64) (param $first i32) (param $second i32)
            (i32.store8 (i32.const 100) (local.get $first))
            (i32.store8 (i32.const 101) (i32.add (i32.const 33) (local.get $second)))
            (call $wake (local.get $due) (i32.const 100) (i32.const 2) (i32.const 300) (i32.const 3) (i32.const 500)))"#;
    let handle = r#"(local $i i32) (local $later i64)
        (local.set $later (i64.add (local.get $time) (i64.const 3600000000000)))
        (if (i32.eq (local.get $what) (i32.const 0)) (then (loop $next
            (call $ask (select (local.get $later) (local.get $time) (local.get $i))
                (i32.add (i32.const 97) (i32.shr_u (local.get $i) (i32.const 6))) (i32.and (local.get $i) (i32.const 63)))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $i) (i32.const 256))))))
        (if (i32.eq (local.get $what) (i32.const 8)) (then unreachable))
        (if (i32.eq (local.get $what) (i32.const 1)) (then
            (call $ask (local.get $later) (i32.const 122) (i32.const 0))
            (if (i32.load8_u (i32.const 500)) (then unreachable))))"#;
    let grants = tidegate_core::Grants { effects_per_event: Some(256), ..pin_grants() };
    fixture.install("bot", component(top, handle).unwrap(), grants, &["shard-committed"]).await;
    fixture.event(|event| event.kind.name() == "bot-quarantined").await;
    fixture.host.skip(&"bot".parse().unwrap()).await.unwrap();
    fixture.commit(1, 0, 1, &[("a", b"x")]).await;
    let bot = fixture.caught_up("bot").await;
    assert_eq!((bot.ledger.handled, bot.last_fault), (1, None), "the key that was passed is free for another one");
}
