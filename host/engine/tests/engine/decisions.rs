//! Modes, quotas, what a bot asks after, and what it would have decided.

use serde_json::json;
use tidegate_core::{CalledOff, Code, Grants, Mode, Triggers, Verb, Why};
use tidegate_engine::{BotSpec, Change};
use tidegate_tests_support::guest::{PIN, STATE_SET, component};

use crate::fixture::{Fixture, pin_grants, replicate_grants, replicator, run, step};

/// Pins each committed shard.
fn pinner() -> Vec<u8> {
    let top = format!(r#"{PIN} (data (i32.const 300) "why")"#);
    let handle = "(if (i32.eq (local.get $what) (i32.const 1)) (then
        (call $pin (local.get $run) (local.get $run_len) (local.get $step) (i32.const 300) (i32.const 3) (i32.const 500))))";
    component(&top, handle).unwrap()
}

async fn install(fixture: &Fixture, component: Vec<u8>, grants: Grants, events: &[&str], mode: Mode) -> BotSpec {
    let plugin = fixture.host.add_plugin(component.into()).await.unwrap().digest;
    let triggers = Triggers { events: events.iter().map(|it| (*it).to_owned()).collect(), runs: vec![] };
    let spec = BotSpec { plugin, settings: json!({}), grants, triggers, mode };
    fixture.host.install("bot".parse().unwrap(), spec.clone(), Change::default()).await.unwrap();
    spec
}

async fn commit(fixture: &Fixture, steps: std::ops::RangeInclusive<u64>) {
    for step in steps {
        fixture.commit(step, 0, 1, &[("a", b"x")]).await;
    }
    fixture.caught_up("bot").await;
}

async fn pinned(fixture: &Fixture, number: u64) -> bool {
    fixture.host.checkpoint(&run(), step(number)).await.unwrap().checkpoint.pinned()
}

#[tokio::test(flavor = "multi_thread")]
async fn in_shadow_effects_are_recorded_and_not_carried_out() {
    let fixture = Fixture::new().await;
    let spec = install(&fixture, pinner(), pin_grants(), &["shard-committed"], Mode::Shadow).await;
    commit(&fixture, 1..=2).await;
    let bot = fixture.bot("bot").await;
    assert_eq!((bot.ledger.shadowed, bot.ledger.effects()), (2, 0));
    assert!(!pinned(&fixture, 1).await && !pinned(&fixture, 2).await);
    let decisions = fixture.host.decisions(&"bot".parse().unwrap()).unwrap();
    assert_eq!(decisions.iter().map(|it| it.asked.len()).collect::<Vec<_>>(), [1, 1]);
    assert_eq!((decisions[0].asked[0].effect.step, decisions[0].asked[0].effect.reason.as_str()), (step(1), "why"));
    // Then it is let loose: for what comes.
    fixture
        .host
        .install("bot".parse().unwrap(), BotSpec { mode: Mode::Enforce, ..spec }, Change::default())
        .await
        .unwrap();
    commit(&fixture, 3..=3).await;
    assert!(pinned(&fixture, 3).await && !pinned(&fixture, 2).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_is_carried_out_for_the_runs_of_its_share() {
    let fixture = Fixture::new().await;
    let share = |percent| Mode::Canary { percent };
    // The least share that covers the run, and one less.
    let least = (0..=100).find(|it| share(*it).carries_out(&"bot".parse().unwrap(), &run())).unwrap();
    install(&fixture, pinner(), pin_grants(), &["shard-committed"], share(least - 1)).await;
    commit(&fixture, 1..=1).await;
    install(&fixture, pinner(), pin_grants(), &["shard-committed"], share(least)).await;
    commit(&fixture, 2..=2).await;
    assert_eq!((pinned(&fixture, 1).await, pinned(&fixture, 2).await), (false, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn effects_of_a_minute_and_bytes_of_a_day_run_out_and_are_refused_in_words() {
    let fixture = Fixture::new().await;
    let grants = Grants { effects_per_minute: Some(2), ..pin_grants() };
    install(&fixture, pinner(), grants, &["shard-committed"], Mode::Enforce).await;
    commit(&fixture, 1..=4).await;
    let ledger = fixture.bot("bot").await.ledger;
    let accepted = ledger.effects[&Verb::Pin].count;
    // A minute may turn meanwhile.
    assert!((2..=4).contains(&accepted) && accepted + ledger.refused.get(&Why::OverQuota).copied().unwrap_or(0) == 4);
    assert!(pinned(&fixture, 1).await && pinned(&fixture, 2).await);
    let fixture = Fixture::new().await;
    let grants = Grants { bytes_per_day: Some(0), ..replicate_grants() };
    install(&fixture, replicator(), grants, &["checkpoint-sealed"], Mode::Enforce).await;
    fixture.commit(1, 0, 1, &[("a", b"xyz")]).await;
    fixture.sealed(1).await;
    fixture.caught_up("bot").await;
    let ledger = fixture.bot("bot").await.ledger;
    assert_eq!((ledger.effects(), ledger.refused[&Why::OverQuota]), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_accounts_for_all_that_a_bot_costs() {
    let fixture = Fixture::new().await;
    install(&fixture, replicator(), replicate_grants(), &["checkpoint-sealed"], Mode::Enforce).await;
    fixture.commit(1, 0, 1, &[("a", b"xyz")]).await;
    fixture.sealed(1).await;
    fixture.caught_up("bot").await;
    let ledger = fixture.bot("bot").await.ledger;
    assert!(ledger.fuel > 0 && ledger.wall.as_nanos() > 0 && ledger.memory_peak >= 65536 && ledger.host_calls >= 1);
    assert_eq!(ledger.effects[&Verb::Replicate], tidegate_core::Amount { count: 1, bytes: 3 });
    assert!(ledger.host_bytes >= ("r".len() + "default".len() + "test".len()) as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_says_what_a_bot_would_have_decided_and_does_nothing() {
    let fixture = Fixture::new().await;
    let spec = install(&fixture, pinner(), pin_grants(), &[], Mode::Enforce).await;
    commit(&fixture, 1..=3).await;
    let events = ["shard-committed".to_owned()].into();
    let wanted = BotSpec { triggers: Triggers { events, runs: vec![] }, ..spec };
    let try_out = async |after, limit| {
        fixture.host.try_out("trial".parse().unwrap(), wanted.clone(), after, limit).await.unwrap()
    };
    let trial = try_out(0, 100).await;
    assert_eq!((trial.handled, trial.decisions.len(), trial.end), (3, 3, true));
    assert!(trial.decisions.iter().all(|it| it.asked[0].answer.is_ok()));
    assert!(!pinned(&fixture, 1).await);
    let first = try_out(0, 2).await;
    let rest = try_out(first.through, 2).await;
    assert!(!first.end && rest.end, "{first:?}\n{rest:?}");
    assert_eq!([first.decisions, rest.decisions].concat(), trial.decisions, "page by page, the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_ends_with_what_it_has_when_the_host_is_told_to_stop() {
    let fixture = Fixture::new().await;
    let loops = component("", "(if (i32.eq (local.get $what) (i32.const 1)) (then (loop $l (br $l))))").unwrap();
    let spec =
        install(&fixture, loops, Grants { read: pin_grants().read, ..Grants::default() }, &[], Mode::Enforce).await;
    commit(&fixture, 1..=20).await;
    let events = ["shard-committed".to_owned()].into();
    let wanted = BotSpec { triggers: Triggers { events, runs: vec![] }, ..spec };
    let host = fixture.host.clone();
    let try_out = move |after| {
        let (host, wanted) = (host.clone(), wanted.clone());
        async move { host.try_out("trial".parse().unwrap(), wanted, after, 100).await }
    };
    // One after all events ends at once, and has the component compiled.
    try_out(1_000_000).await.unwrap();
    let again = try_out.clone();
    let trial = tokio::spawn(async move {
        loop {
            match again(0).await {
                Err(error) if error.code == Code::TooMany => tokio::task::yield_now().await,
                ended => break ended,
            }
        }
    });
    // One that is refused knows of the long one.
    while try_out(1_000_000).await.map_err(|error| error.code) != Err(Code::TooMany) {
        tokio::task::yield_now().await;
    }
    fixture.host.hurry();
    let trial = trial.await.unwrap().unwrap();
    assert!(!trial.end && trial.handled < 20, "{trial:?}");
    assert_eq!(try_out(0).await.unwrap_err().code, Code::Draining);
}

/// Asks for a copy that starts in a minute; when the next shard is committed calls it off, if it is open, and writes 1.
fn changes_its_mind() -> Vec<u8> {
    let top = format!(
        r#"(import "tidegate:bot/replication@0.2.0" "replicate"
            (func $replicate (param i32 i32 i64 i32 i32 i32 i32 i32 i64 i32 i64 i32 i64 i32 i32 i32 i32)))
        (import "tidegate:bot/replication@0.2.0" "status" (func $status (param i32 i32 i32)))
        (import "tidegate:bot/replication@0.2.0" "cancel" (func $cancel (param i32 i32 i32 i32 i32)))
        (import "tidegate:bot/state@0.2.0" "get" (func $state_get (param i32 i32 i32)))
        {STATE_SET} (data (i32.const 50) "id") (data (i32.const 60) "k")
        (data (i32.const 100) "default") (data (i32.const 200) "test")"#
    );
    let handle = "
        (if (i32.eq (local.get $what) (i32.const 3)) (then
            (call $replicate (local.get $run) (local.get $run_len) (local.get $step) (i32.const 100) (i32.const 7)
                (i32.const 0) (i32.const 0) (i32.const 0) (i64.add (local.get $time) (i64.const 60000000000))
                (i32.const 0) (i64.const 0) (i32.const 0) (i64.const 0)
                (i32.const 5) (i32.const 200) (i32.const 4) (i32.const 300))
            (call $state_set (i32.const 50) (i32.const 2) (i32.load (i32.const 304)) (i32.load (i32.const 308)) (i32.const 500))))
        (if (i32.eq (local.get $what) (i32.const 1)) (then
            (call $state_get (i32.const 50) (i32.const 2) (i32.const 600))
            (if (i32.load8_u (i32.const 604)) (then
                (call $status (i32.load (i32.const 608)) (i32.load (i32.const 612)) (i32.const 700))
                ;; ok, some, open
                (if (i32.and (i32.load8_u (i32.const 704)) (i32.eqz (i32.load8_u (i32.const 705)))) (then
                    (call $cancel (i32.load (i32.const 608)) (i32.load (i32.const 612)) (i32.const 200) (i32.const 4)
                        (i32.const 800))
                    (i64.store (i32.const 400) (i64.const 1))
                    (call $state_set (i32.const 60) (i32.const 1) (i32.const 400) (i32.const 8) (i32.const 500))))))))";
    component(&top, handle).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_calls_off_what_it_asked_for_and_is_told_how_it_ended() {
    let fixture = Fixture::new().await;
    let events = ["shard-committed", "checkpoint-sealed"];
    install(&fixture, changes_its_mind(), replicate_grants(), &events, Mode::Enforce).await;
    fixture.commit(1, 0, 1, &[("a", b"x")]).await;
    fixture.sealed(1).await;
    fixture.caught_up("bot").await;
    let job = &fixture.host.jobs(None, 9).await.unwrap()[0].job;
    assert!(!job.state.ended());
    fixture.commit(2, 0, 1, &[("a", b"x")]).await;
    let ended = fixture.event(|event| event.kind.name() == "job-finished").await;
    let told = serde_json::to_value(&ended).unwrap();
    assert_eq!((told["ok"].as_bool(), told["detail"].as_str()), (Some(false), Some("called off by bot bot: test")));
    fixture.caught_up("bot").await;
    assert!(fixture.host.bot_state(&"bot".parse().unwrap(), "k").unwrap().is_some(), "it saw its copy open: {told}");
    let effects = fixture.bot("bot").await.ledger.effects;
    assert!(effects[&Verb::Replicate].count >= 1 && effects[&Verb::Cancel].count == 1, "{effects:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_in_shadow_calls_nothing_off_either() {
    let fixture = Fixture::new().await;
    let events = ["shard-committed", "checkpoint-sealed"];
    let spec = install(&fixture, changes_its_mind(), replicate_grants(), &events, Mode::Enforce).await;
    fixture.commit(1, 0, 1, &[("a", b"x")]).await;
    fixture.sealed(1).await;
    fixture.caught_up("bot").await;
    let shadow = BotSpec { mode: Mode::Shadow, ..spec };
    fixture.host.install("bot".parse().unwrap(), shadow, Change::default()).await.unwrap();
    fixture.commit(2, 0, 1, &[("a", b"x")]).await;
    fixture.caught_up("bot").await;
    assert!(fixture.host.bot_state(&"bot".parse().unwrap(), "k").unwrap().is_some(), "it asked for it");
    let job = fixture.host.jobs(None, 9).await.unwrap().remove(0).job;
    assert!(!job.state.ended(), "and it goes on");
    let decided = fixture.host.decisions(&"bot".parse().unwrap()).unwrap();
    let cancels: Vec<_> = decided.iter().flat_map(|it| &it.cancels).collect();
    let [CalledOff { effect, reason, answer: Ok(()) }] = &cancels[..] else { panic!("it is shown: {decided:?}") };
    assert_eq!((effect, reason.as_str()), (&job.id, "test"));
}
