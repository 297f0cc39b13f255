//! The same component, fed the same events, decides the same: what bots decided while they were at work is what a replay of
//! the journal decides, whatever went on around them; and so, but for jobs that were under way, does a host that has nothing
//! but the facts.

use std::{env, fs, ops::Bound, path::Path, path::PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate_core::{Clock as _, Decision, Event, EventKind, Glob, Grants, Mode, SystemClock, Triggers};
use tidegate_engine::{BotSpec, Change};
use tidegate_store::Space;
use tidegate_tests_support::guest::{PIN, component};

use crate::fixture::{Fixture, run, step};

/// What goes on around the bots.
#[derive(Debug, Clone)]
enum Deed {
    /// Some of two ranks commit the next step. A step that was pruned is not committed again: its record begins anew then,
    /// and the past of it is lost.
    Commit(Vec<u64>),
    /// The operator pins or prunes, if the guard lets him.
    Pin(u64),
    Prune(u64),
    /// The bots have time to get there.
    Wait,
    /// The host is started again.
    Restart,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let step = || 1u64..9;
    let deed = prop_oneof![
        8 => prop::sample::select(vec![vec![0], vec![0, 1], vec![1, 0], vec![1, 0]]).prop_map(Deed::Commit),
        1 => step().prop_map(Deed::Pin),
        1 => step().prop_map(Deed::Prune),
        2 => Just(Deed::Wait),
        1 => Just(Deed::Restart),
    ];
    prop::collection::vec(deed, 1..24)
}

fn built(name: &str) -> Vec<u8> {
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins");
    let file = env::var_os("TIDEGATE_PLUGINS").map_or(usual, PathBuf::from).join(format!("{name}.wasm"));
    fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask plugins` first", file.display()))
}

/// Pins a committed step if a coin says so; asks to be woken in a while, and pins nothing then.
fn gambler() -> Vec<u8> {
    let top = format!(
        r#"{PIN} (import "tidegate:bot/random@0.2.0" "next-u64" (func $draw (param i32)))
        (import "tidegate:bot/schedule@0.2.0" "wake-at" (func $wake (param i64 i32 i32 i32 i32 i32)))
        (data (i32.const 100) "k") (data (i32.const 300) "heads")"#
    );
    let handle = "(if (i32.eq (local.get $what) (i32.const 1)) (then
        (call $draw (i32.const 600))
        (if (i32.and (i32.load8_u (i32.const 608)) (i32.const 1)) (then
            (call $pin (local.get $run) (local.get $run_len) (local.get $step) (i32.const 300) (i32.const 5) (i32.const 500)))
        (else
            (call $wake (local.get $time) (i32.const 100) (i32.const 1) (i32.const 300) (i32.const 5) (i32.const 500))))))";
    component(&top, handle).unwrap()
}

/// How many wakes of [`hoarder`] are due at once. A bot rests between two, so they take a second.
const DUE_AT_ONCE: usize = 2;

/// Asks for nearly as many keys to be woken under as a bot may have, [`DUE_AT_ONCE`] of them at once; for some more when a shard is
/// committed, and takes one of an earlier step back; and for one more when it is woken. So what is free counts.
fn hoarder() -> Vec<u8> {
    let top = r#"(import "tidegate:bot/schedule@0.2.0" "wake-at" (func $wake (param i64 i32 i32 i32 i32 i32)))
        (import "tidegate:bot/schedule@0.2.0" "cancel" (func $cancel (param i32 i32 i32)))
        (data (i32.const 300) "why")
        (func $key (param $first i32) (param $second i32)
            (i32.store8 (i32.const 100) (local.get $first))
            (i32.store8 (i32.const 101) (i32.add (i32.const 33) (local.get $second))))
        (func $ask (param $due i64)
            (call $wake (local.get $due) (i32.const 100) (i32.const 2) (i32.const 300) (i32.const 3) (i32.const 500)))"#;
    let handle = r#"(local $i i32) (local $later i64)
        (local.set $later (i64.add (local.get $time) (i64.const 3600000000000)))
        (if (i32.eq (local.get $what) (i32.const 0)) (then (loop $next
            (call $key (i32.add (i32.const 97) (i32.shr_u (local.get $i) (i32.const 6)))
                (i32.and (local.get $i) (i32.const 63)))
            (call $ask (select (local.get $time) (local.get $later) (i32.lt_u (local.get $i) (i32.const 2))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $i) (i32.const 252))))))
        (if (i32.eq (local.get $what) (i32.const 1)) (then
            (loop $next
                (call $key (i32.add (i32.const 65) (i32.wrap_i64 (local.get $step))) (local.get $i))
                (call $ask (local.get $later))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $i) (i32.const 3))))
            (call $key (i32.add (i32.const 63) (i32.wrap_i64 (local.get $step))) (i32.const 0))
            (call $cancel (i32.const 100) (i32.const 2) (i32.const 500))))
        (if (i32.eq (local.get $what) (i32.const 8)) (then
            (call $key (i32.const 122) (i32.wrap_i64 (i64.and (local.get $seq) (i64.const 63))))
            (call $ask (local.get $later))))"#;
    component(top, handle).unwrap()
}

fn bots() -> Vec<(&'static str, Vec<u8>, Value, Vec<&'static str>)> {
    let prune = json!({ "keep_last": 2, "tiers": ["nvme", "object"], "wait_for_copy": false });
    let kinds = EventKind::TRIGGERS.to_vec();
    vec![
        ("replicate", built("replicate"), json!({ "jitter_seconds": 0.0 }), kinds.clone()),
        ("prune", built("prune"), prune, kinds.clone()),
        ("gambler", gambler(), json!({}), kinds.clone()),
        ("hoarder", hoarder(), json!({}), kinds),
    ]
}

fn all() -> Grants {
    let all = vec![Glob("*".into())];
    Grants {
        read: all.clone(),
        replicate: all.clone(),
        prune: all.clone(),
        pin: all,
        targets: ["default".parse().unwrap()].into(),
        tiers: tidegate_core::Tier::ALL.into_iter().collect(),
        effects_per_event: Some(256),
        ..Grants::default()
    }
}

/// Until nothing is left to do, and nobody is to be woken now.
async fn settled(fixture: &Fixture) {
    let head = || *fixture.store.index().head().borrow();
    loop {
        let before = head();
        idle(fixture).await;
        let mut due = false;
        // By time, as `wakes.rs` writes them.
        let now = [b"t", SystemClock::default().now().0.to_be_bytes().as_slice()].concat();
        let range = (Bound::Included(b"t".as_slice()), Bound::Excluded(now.as_slice()));
        fixture
            .store
            .index()
            .view()
            .scan(Space::Wakes, range, false, |_, _| {
                Ok({
                    due = true;
                    false
                })
            })
            .unwrap();
        if !due && head() == before {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Until nothing is left to do.
async fn idle(fixture: &Fixture) {
    loop {
        let jobs = fixture.host.jobs(None, 1000).await.unwrap();
        let mut busy = jobs.iter().any(|it| !it.job.state.ended());
        for bot in fixture.host.bots().await.unwrap() {
            assert!(bot.quarantined.is_none(), "{bot:?}");
            busy |= bot.lag > 0;
        }
        if !busy {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// What bots have decided since they were put to work.
async fn decided(fixture: &Fixture) -> Vec<Vec<Decision>> {
    let names = bots().into_iter().map(|it| it.0.parse().unwrap());
    names.map(|name| fixture.host.decisions(&name).unwrap()).collect()
}

/// A host that has seen all of it, and what its bots have decided. A calm one waits after each deed until all is done.
async fn lived(deeds: Vec<Deed>, calm: bool) -> (Fixture, Vec<Vec<Decision>>) {
    let mut fixture = Fixture::new().await;
    for (name, component, settings, kinds) in bots() {
        let plugin = fixture.host.add_plugin(component.into()).await.unwrap().digest;
        let events = kinds.into_iter().map(str::to_owned).collect();
        let triggers = Triggers { events, runs: vec![] };
        // All is carried out, and recorded as well.
        let mode = Mode::Canary { percent: 100 };
        let spec = BotSpec { plugin, settings, grants: all(), triggers, mode };
        fixture.host.install(name.parse().unwrap(), spec, Change::default()).await.unwrap();
    }
    let (mut live, mut last) = (vec![Vec::new(); bots().len()], 0);
    for deed in deeds {
        match deed {
            Deed::Commit(ranks) => {
                last += 1;
                for rank in ranks {
                    fixture.commit(last, rank, 2, &[("a", &[last as u8; 100])]).await;
                }
            }
            Deed::Pin(number) => {
                let _ = fixture.host.pin(&run(), step(number), "paper".into()).await;
            }
            Deed::Prune(number) => {
                let tier = tidegate_core::Tier::Nvme;
                let _ = fixture.host.prune(&run(), step(number), tier, "room".into(), false).await;
            }
            Deed::Wait => idle(&fixture).await,
            Deed::Restart => {
                settled(&fixture).await;
                live.iter_mut().zip(decided(&fixture).await).for_each(|(all, more)| all.extend(more));
                fixture = fixture.restart(|_| ()).await;
            }
        }
        if calm {
            idle(&fixture).await;
        }
    }
    settled(&fixture).await;
    live.iter_mut().zip(decided(&fixture).await).for_each(|(all, more)| all.extend(more));
    (fixture, live)
}

async fn journal(fixture: &Fixture) -> (Vec<Event>, String) {
    let events = fixture.host.events(0, 10_000, std::time::Duration::ZERO).await.unwrap();
    let lines: Vec<String> = events.iter().map(|it| serde_json::to_string(it).unwrap()).collect();
    (events, lines.join("\n"))
}

async fn live_and_replayed(deeds: Vec<Deed>) -> Result<(), TestCaseError> {
    let (fixture, live) = lived(deeds, false).await;
    let (_, journal) = journal(&fixture).await;
    for (live, (name, ..)) in live.into_iter().zip(bots()) {
        let name: tidegate_core::BotName = name.parse().unwrap();
        let spec = fixture.host.bot(&name).await.unwrap().spec;
        let replayed = fixture.host.try_out(name.clone(), spec, 0, 1000).await.unwrap();
        prop_assert!(replayed.end, "more decisions than one replay has");
        let first = live.iter().zip(&replayed.decisions).find(|(a, b)| a != b);
        prop_assert_eq!(first, None, "{}: live, replayed; the journal:\n{}", name, journal);
        prop_assert_eq!(live.len(), replayed.decisions.len(), "{}", name);
    }
    Ok(())
}

/// A trial of a host, and one of the facts alone.
async fn here_and_from_the_facts(deeds: Vec<Deed>) -> Result<(), TestCaseError> {
    // Calm: jobs that were under way are not among the facts.
    let (fixture, _) = lived(deeds, true).await;
    let (events, journal) = journal(&fixture).await;
    let kept = Fixture::recorded(&fixture, events).await;
    for (name, ..) in bots() {
        let stranger = || "trial".parse().unwrap();
        let spec = fixture.host.bot(&name.parse().unwrap()).await.unwrap().spec;
        let here = fixture.host.try_out(stranger(), spec.clone(), 0, 1000).await.unwrap();
        let there = kept.host.try_out(stranger(), spec, 0, 1000).await.unwrap();
        let differs = here.decisions.iter().zip(&there.decisions).find(|(a, b)| a.event != b.event || !a.agrees(b));
        prop_assert_eq!(differs, None, "{}: here, from the facts; the journal:\n{}", name, journal);
        let counts = |it: &tidegate_engine::Trial| (it.decisions.len(), it.handled);
        prop_assert_eq!(counts(&here), counts(&there), "{}", name);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_free_from_the_event_of_its_wake_on_in_a_replay_too() {
    let fixture = Fixture::new().await;
    let plugin = fixture.host.add_plugin(hoarder().into()).await.unwrap().digest;
    let triggers = Triggers { events: ["shard-committed".to_owned()].into(), runs: vec![] };
    let mode = Mode::Canary { percent: 100 };
    let spec = BotSpec { plugin, settings: json!({}), grants: all(), triggers, mode };
    let name: tidegate_core::BotName = "hoarder".parse().unwrap();
    fixture.host.install(name.clone(), spec.clone(), Change::default()).await.unwrap();
    fixture.event(|event| event.kind.name() == "bot-woken").await;
    for step in 1..=4 {
        fixture.commit(step, 0, 1, &[("a", b"x")]).await;
    }
    fixture.caught_up("hoarder").await;
    let live = fixture.host.decisions(&name).unwrap();
    let wakes = live.iter().flat_map(|it| &it.wakes).filter(|(key, at)| key.len() == 2 && at.is_some()).count();
    assert!((253..252 + 3 * 4 + DUE_AT_ONCE).contains(&wakes), "some was refused: {wakes}");
    let replayed = fixture.host.try_out(name, spec, 0, 1000).await.unwrap();
    assert_eq!(live, replayed.decisions);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_bots_decided_is_what_a_replay_decides(deeds in deeds()) {
        tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(live_and_replayed(deeds))?;
    }

    #[test]
    fn what_a_host_would_decide_is_what_its_recorded_facts_decide(deeds in deeds()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(here_and_from_the_facts(deeds))?;
    }
}
