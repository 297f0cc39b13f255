use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tidegate_core::{Clock, EventKind, Glob, Grants, SystemClock, Timestamp};
use tidegate_tests_support::guest::{PIN, STATE_SET, component};

use crate::fixture::{Fixture, pin_grants, run};

/// On each committed shard: pins the step, writes it into its state, then does what `then` says.
fn writer(then: &str) -> Vec<u8> {
    let top = format!(r#"{PIN} {STATE_SET} (data (i32.const 100) "k") (data (i32.const 300) "why")"#);
    let handle = format!(
        "(if (i32.eq (local.get $what) (i32.const 1)) (then
            (call $pin (local.get $run) (local.get $run_len) (local.get $step) (i32.const 300) (i32.const 3) (i32.const 500))
            (i64.store (i32.const 400) (local.get $step))
            (call $state_set (i32.const 100) (i32.const 1) (i32.const 400) (i32.const 8) (i32.const 500))
            {then}))"
    );
    component(&top, &handle).unwrap()
}

const TRAP_AT_THREE: &str = "(if (i64.eq (local.get $step) (i64.const 3)) (then unreachable))";

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_leaves_no_effects_and_the_bot_stands_before_its_event() {
    let fixture = Fixture::new().await;
    // It stands still until all events are there: then one group holds events that go well and the one that does not.
    fixture.install("bad", writer("unreachable"), pin_grants(), &["shard-committed"]).await;
    fixture.install("good", writer(""), pin_grants(), &["shard-committed"]).await;
    fixture.commit(1, 0, 1, &[("a", b"x")]).await;
    let first = fixture.event(|event| event.kind.name() == "bot-quarantined").await;
    for step in 2..=4 {
        fixture.commit(step, 0, 1, &[("a", b"x")]).await;
    }
    fixture.install("bad", writer(TRAP_AT_THREE), pin_grants(), &["shard-committed"]).await;
    let quarantined = fixture.event(|event| event.kind.name() == "bot-quarantined" && event.seq > first.seq).await;
    let bad = fixture.bot("bad").await;
    let third = fixture.event(|e| e.kind.name() == "shard-committed" && crate::fixture::about(e, 3)).await;
    assert_eq!(bad.cursor, third.seq - 1, "it stands right before the event that it fails on");
    assert!(bad.quarantined.is_some() && quarantined.seq > third.seq);
    assert_eq!(state_of(&fixture, "bad"), Some(2), "the state is that of the last event that went well");
    fixture.caught_up("good").await;
    let mut pinned = Vec::new();
    for info in fixture.host.checkpoints(&run(), None, 9).await.unwrap() {
        let by: Vec<_> = info.checkpoint.pins.iter().map(|pin| pin.by.clone()).collect();
        pinned.push((info.checkpoint.step.get(), by.contains(&"bad".to_owned()), by.contains(&"good".to_owned())));
    }
    assert_eq!(pinned, [(4, false, true), (3, false, true), (2, true, true), (1, true, true)]);
    assert_eq!(state_of(&fixture, "good"), Some(4), "its neighbour goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mended_bot_goes_on_with_the_events_that_waited_for_it() {
    let fixture = Fixture::new().await;
    fixture.install("bot", writer(TRAP_AT_THREE), pin_grants(), &["shard-committed"]).await;
    for step in 1..=5 {
        fixture.commit(step, 0, 1, &[("a", b"x")]).await;
    }
    fixture.event(|event| event.kind.name() == "bot-quarantined").await;
    // Across a restart as well: the quarantine, the cursor and the events are all durable.
    let fixture = fixture.restart(|_| ()).await;
    assert!(fixture.bot("bot").await.quarantined.is_some());
    fixture.install("bot", writer(""), pin_grants(), &["shard-committed"]).await;
    let bot = fixture.caught_up("bot").await;
    assert!(bot.quarantined.is_none());
    assert_eq!(state_of(&fixture, "bot"), Some(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_is_granted_another_run_gets_nothing_and_sees_nothing() {
    let fixture = Fixture::new().await;
    let other = vec![Glob("other".into())];
    let grants = Grants { read: other.clone(), pin: other, ..Grants::default() };
    fixture.install("bot", writer(""), grants, &["shard-committed"]).await;
    fixture.commit(1, 0, 1, &[("a", b"x")]).await;
    fixture.commit(2, 0, 1, &[("a", b"x")]).await;
    let bot = fixture.caught_up("bot").await;
    // It may not read the run, so events of the run do not wake it.
    assert_eq!((bot.ledger.effects(), state_of(&fixture, "bot")), (0, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_loops_is_stopped_and_leaves_the_host_alone() {
    let fixture = Fixture::new().await;
    fixture.install("spin", component("", "(loop $l (br $l))").unwrap(), pin_grants(), &["shard-committed"]).await;
    fixture.commit(1, 0, 1, &[("a", b"x")]).await;
    fixture.event(|event| event.kind.name() == "bot-quarantined").await;
    let health = fixture.host.health().await;
    let bots = health.checks.iter().find(|check| check.name == "bots").unwrap();
    assert!(health.ready && health.degraded && !bots.ok, "training goes on, and people are told: {health:?}");
    assert!(bots.detail.starts_with("1 of 1 stand still: spin (quarantined)"), "{bots:?}");
    assert!(fixture.bot("spin").await.ledger.faults >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn state_beyond_its_quota_is_refused_and_removed_with_the_bot() {
    let fixture = Fixture::new().await;
    let grants = Grants { state_bytes: Some(8), ..pin_grants() };
    // One key of 1 byte and a value of 8 are 9 bytes.
    fixture.install("small", writer(""), grants, &["shard-committed"]).await;
    fixture.install("fits", writer(""), pin_grants(), &["shard-committed"]).await;
    fixture.commit(1, 0, 1, &[("a", b"x")]).await;
    fixture.caught_up("small").await;
    fixture.caught_up("fits").await;
    assert_eq!((state_of(&fixture, "small"), state_of(&fixture, "fits")), (None, Some(1)));
    fixture.host.uninstall(&"fits".parse().unwrap()).await.unwrap();
    assert_eq!(state_of(&fixture, "fits"), None);
    assert!(fixture.host.bot(&"fits".parse().unwrap()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_grows_over_many_events_up_to_its_quota_and_no_further() {
    let fixture = Fixture::new().await;
    // A key for each step: 1 byte, and a value of 8.
    let handle = "(if (i32.eq (local.get $what) (i32.const 1)) (then
        (i64.store8 (i32.const 100) (i64.add (i64.const 64) (local.get $step)))
        (call $state_set (i32.const 100) (i32.const 1) (i32.const 400) (i32.const 8) (i32.const 500))))";
    let grants = Grants { state_bytes: Some(20), ..pin_grants() };
    fixture.install("hoarder", component(STATE_SET, handle).unwrap(), grants, &["shard-committed"]).await;
    for step in 1..=4 {
        fixture.commit(step, 0, 1, &[("a", b"x")]).await;
        // Each event is a group of its own.
        fixture.caught_up("hoarder").await;
    }
    let held = |key| fixture.host.bot_state(&"hoarder".parse().unwrap(), key).unwrap().is_some();
    assert_eq!(["A", "B", "C", "D"].map(held), [true, true, false, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_can_not_take_the_name_that_stands_for_people() {
    let fixture = Fixture::new().await;
    let plugin = fixture.host.add_plugin(writer("").into()).await.unwrap().digest;
    let spec = tidegate_engine::BotSpec {
        plugin,
        settings: serde_json::json!({}),
        grants: pin_grants(),
        triggers: Default::default(),
        mode: Default::default(),
    };
    let refused = fixture.host.install("operator".parse().unwrap(), spec, Default::default()).await.unwrap_err();
    assert_eq!(refused.code, tidegate_core::Code::BadName);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_is_told_when_the_host_starts_again() {
    let fixture = Fixture::new().await;
    fixture.install("bot", writer(""), pin_grants(), &["shard-committed"]).await;
    let first = fixture.event(|event| event.kind.name() == "bot-started").await;
    let fixture = fixture.restart(|_| ()).await;
    fixture.event(|event| event.kind.name() == "bot-started" && event.seq > first.seq).await;
    assert_eq!(fixture.caught_up("bot").await.ledger.faults, 0);
}

/// The step in a bot's state.
fn state_of(fixture: &Fixture, bot: &str) -> Option<u64> {
    let bytes = fixture.host.bot_state(&bot.parse().unwrap(), "k").unwrap();
    bytes.map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
}

/// Asks at its start to be woken so many nanoseconds later, then does what `then` says; writes 77 into its state when it is.
fn sleeper(later: u64, then: &str) -> Vec<u8> {
    let top = format!(
        r#"(import "tidegate:bot/schedule@0.2.0" "wake-at" (func $wake (param i64 i32 i32 i32 i32 i32)))
        {STATE_SET} (data (i32.const 100) "k") (data (i32.const 300) "why")"#
    );
    let handle = format!(
        "(if (i32.eq (local.get $what) (i32.const 0)) (then
            (call $wake (i64.add (local.get $time) (i64.const {later})) (i32.const 100) (i32.const 1)
                (i32.const 300) (i32.const 3) (i32.const 500))
            {then}))
        (if (i32.eq (local.get $what) (i32.const 8)) (then
            (i64.store (i32.const 400) (i64.const 77))
            (call $state_set (i32.const 100) (i32.const 1) (i32.const 400) (i32.const 8) (i32.const 500))))"
    );
    component(&top, &handle).unwrap()
}

fn woken(event: &tidegate_core::Event) -> bool {
    event.kind.name() == "bot-woken"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_is_woken_at_the_time_it_asked_for() {
    let fixture = Fixture::new().await;
    fixture.install("sleeper", sleeper(50_000_000, ""), Grants::default(), &[]).await;
    let event = fixture.event(woken).await;
    let EventKind::BotWoken { bot, key, due, reason } = &event.kind else { panic!("{event:?}") };
    assert_eq!((bot.as_str(), key.as_str(), reason.as_str()), ("sleeper", "k", "why"));
    assert!(event.time >= *due);
    fixture.caught_up("sleeper").await;
    assert_eq!(state_of(&fixture, "sleeper"), Some(77));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wake_that_fell_into_a_down_time_comes_when_the_host_is_back() {
    let fixture = Fixture::new().await;
    let bot = fixture.install("sleeper", sleeper(2_000_000_000, ""), Grants::default(), &[]).await;
    while fixture.bot("sleeper").await.cursor <= bot.cursor {
        tokio::task::yield_now().await;
    }
    // The bot is told that the host has started, and asks anew: only for the key's one time.
    let fixture = fixture.restart(|_| ()).await;
    fixture.event(woken).await;
    fixture.caught_up("sleeper").await;
    assert_eq!(state_of(&fixture, "sleeper"), Some(77));
}

/// The system's clock, whose wall clock can be set back.
#[derive(Debug, Default)]
struct SetBack {
    system: SystemClock,
    by: AtomicU64,
}

impl Clock for SetBack {
    fn now(&self) -> Timestamp {
        Timestamp(self.system.now().0 - self.by.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        self.system.monotonic()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wall_clock_that_is_set_back_keeps_no_bot_at_rest() {
    let clock = Arc::new(SetBack::default());
    let fixture = Fixture::open_by(Arc::new(tempfile::tempdir().unwrap()), clock.clone()).await;
    // Both are long due, whatever the clock says; between the two it rests.
    let top = r#"(import "tidegate:bot/schedule@0.2.0" "wake-at" (func $wake (param i64 i32 i32 i32 i32 i32)))
        (data (i32.const 100) "kl") (data (i32.const 300) "why")"#;
    let handle = "(if (i32.eq (local.get $what) (i32.const 0)) (then
        (call $wake (i64.const 1) (i32.const 100) (i32.const 1) (i32.const 300) (i32.const 3) (i32.const 500))
        (call $wake (i64.const 1) (i32.const 101) (i32.const 1) (i32.const 300) (i32.const 3) (i32.const 500))))";
    fixture.install("sleeper", component(top, handle).unwrap(), Grants::default(), &[]).await;
    let first = fixture.event(woken).await;
    clock.by.store(24 * 3600 * 1_000_000_000, Ordering::SeqCst);
    fixture.event(|event| woken(event) && event.seq > first.seq).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_fails_is_not_woken_for_what_it_asked() {
    let fixture = Fixture::new().await;
    fixture.install("bad", sleeper(1, "unreachable"), Grants::default(), &[]).await;
    fixture.event(|event| event.kind.name() == "bot-quarantined").await;
    fixture
        .restart(|dir| {
            let path = dir.join("tier/index");
            let look = move || {
                let clock = std::sync::Arc::new(tidegate_core::SystemClock::default());
                let index = tidegate_store::Index::open(&path, "h".parse().unwrap(), clock).unwrap();
                let mut asked = 0;
                let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
                let count = |_: &[u8], _: &[u8]| {
                    asked += 1;
                    Ok(true)
                };
                index.view().scan(tidegate_store::Space::Wakes, all, false, count).unwrap();
                assert_eq!(asked, 0);
                assert!(!index.view().events(0, 99).unwrap().iter().any(woken));
            };
            std::thread::spawn(look).join().unwrap();
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bot_draws_is_determined_by_its_name_and_the_event() {
    let fixture = Fixture::new().await;
    let top = format!(
        r#"(import "tidegate:bot/random@0.2.0" "next-u64" (func $draw (param i32)))
        {STATE_SET} (data (i32.const 100) "k")"#
    );
    let handle = "(call $draw (i32.const 600))
        (call $draw (i32.const 600))
        (call $state_set (i32.const 100) (i32.const 1) (i32.const 608) (i32.const 8) (i32.const 500))";
    fixture.install("gambler", component(&top, handle).unwrap(), Grants::default(), &[]).await;
    let started = fixture.event(|event| event.kind.name() == "bot-started").await;
    fixture.caught_up("gambler").await;
    let mut drawn = [0; 16];
    tidegate_core::RandomStream::new(&"gambler".parse().unwrap(), started.seq).fill(&mut drawn);
    let second = u64::from_le_bytes(drawn[8..].try_into().unwrap());
    assert_eq!(state_of(&fixture, "gambler"), Some(second));
}
