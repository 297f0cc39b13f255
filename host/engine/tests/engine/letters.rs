//! A parked event that is handed out once more is an event like any other.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tidegate_core::{BotName, Grants, ManualClock, Mode, Timestamp, Triggers, Why};
use tidegate_engine::{BotSpec, Change};
use tidegate_tests_support::guest::{PIN, component};

use crate::fixture::{Fixture, pin_grants, run, step};

/// Writes 64 lines for each committed shard and pins it; fails at step 1 as long as it is that version.
fn bot(fails: bool) -> Vec<u8> {
    let top = format!(
        r#"{PIN} (import "tidegate:bot/log@0.2.0" "line" (func $line (param i32 i32 i32)))
        (data (i32.const 300) "why")"#
    );
    let fails = if fails { "(if (i64.eq (local.get $step) (i64.const 1)) (then unreachable))" } else { "" };
    let handle = format!(
        "(local $i i32)
        (if (i32.eq (local.get $what) (i32.const 1)) (then
            {fails}
            (loop $next
                (call $line (i32.const 1) (i32.const 300) (i32.const 3))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $i) (i32.const 64))))
            (call $pin (local.get $run) (local.get $run_len) (local.get $step) (i32.const 300) (i32.const 3)
                (i32.const 500))))"
    );
    component(&top, &handle).unwrap()
}

/// A bot that has skipped step 1, and then handled steps 2 to 5 with a version that could handle it.
async fn skipped(mode: Mode) -> (Fixture, BotName, u64) {
    skipped_with(mode, pin_grants()).await
}

/// The same, the version that could handle it with these grants, and an hour after the other one.
async fn skipped_with(mode: Mode, grants: Grants) -> (Fixture, BotName, u64) {
    // Its time stands still: no log line is given back.
    let clock = Arc::new(ManualClock::at(Timestamp(1_000_000_000_000)));
    let fixture = Fixture::open_by(Arc::new(tempfile::tempdir().unwrap()), clock.clone()).await;
    let name: BotName = "bot".parse().unwrap();
    fixture.install("bot", bot(true), pin_grants(), &["shard-committed"]).await;
    fixture.commit(1, 0, 1, &[("a", b"x")]).await;
    let event = fixture.event(|event| event.kind.name() == "bot-quarantined").await;
    fixture.host.skip(&name).await.unwrap();
    let plugin = fixture.host.add_plugin(bot(false).into()).await.unwrap().digest;
    let triggers = Triggers { events: ["shard-committed".to_owned()].into(), runs: vec![] };
    let spec = BotSpec { plugin, settings: json!({}), grants, triggers, mode };
    clock.advance(Duration::from_secs(3600));
    fixture.host.install(name.clone(), spec, Change::default()).await.unwrap();
    for step in 2..=5 {
        fixture.commit(step, 0, 1, &[("a", b"x")]).await;
    }
    fixture.caught_up("bot").await;
    let letter = fixture.host.letters(&name).await.unwrap()[0].event.seq;
    assert!(letter < event.seq);
    (fixture, name, letter)
}

async fn handed_out(fixture: &Fixture, name: &BotName, event: u64) {
    let before = fixture.bot("bot").await.ledger.handled;
    fixture.host.replay(name, event).await.unwrap();
    while fixture.bot("bot").await.ledger.handled == before {
        tokio::task::yield_now().await;
    }
    assert!(fixture.host.letters(name).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn its_log_lines_come_out_of_the_bots_bucket() {
    let (fixture, name, event) = skipped(Mode::Enforce).await;
    let before = fixture.bot("bot").await.ledger;
    assert_eq!((before.log_lines, before.log_dropped), (256, 0), "the bucket is empty");
    handed_out(&fixture, &name, event).await;
    let bot = fixture.bot("bot").await;
    assert_eq!((bot.ledger.handled, bot.ledger.log_lines, bot.ledger.log_dropped), (before.handled + 1, 256, 64));
    assert_eq!(bot.log.last().map(String::as_str), Some("warn: 64 more lines were dropped"));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_shadow_what_it_decides_is_recorded_and_not_carried_out() {
    let (fixture, name, event) = skipped(Mode::Shadow).await;
    handed_out(&fixture, &name, event).await;
    let decided = fixture.host.decisions(&name).unwrap();
    assert_eq!(decided.last().map(|it| (it.event, it.asked.len())), Some((event, 1)), "{decided:?}");
    assert!(!fixture.host.checkpoint(&run(), step(1)).await.unwrap().checkpoint.pinned());
}

#[tokio::test(flavor = "multi_thread")]
async fn its_effects_count_among_those_of_now_and_forget_none_of_them() {
    let grants = Grants { effects_per_minute: Some(5), ..pin_grants() };
    let (fixture, name, event) = skipped_with(Mode::Enforce, grants).await;
    handed_out(&fixture, &name, event).await;
    assert!(fixture.host.checkpoint(&run(), step(1)).await.unwrap().checkpoint.pinned(), "the fifth of this minute");
    fixture.commit(6, 0, 1, &[("a", b"x")]).await;
    fixture.caught_up("bot").await;
    assert!(!fixture.host.checkpoint(&run(), step(6)).await.unwrap().checkpoint.pinned());
    assert_eq!(fixture.bot("bot").await.ledger.refused[&Why::OverQuota], 1);
}
