//! What is kept of a bot until its new version is settled: it comes back with the version before, or goes.

use std::{path::Path, sync::Arc};

use tidegate_core::{Glob, SystemClock, Triggers};
use tidegate_engine::{BotSpec, Change};
use tidegate_store::{Index, Space};
use tidegate_tests_support::guest::{STATE_SET, component_for_world, module};

use crate::{
    fixture::Fixture,
    versions::{FAILS_AT_THREE, STATE_GET, commit, counted, counter, spec},
};

/// Asks, when a shard is committed, to be woken so many hours after the event under each of these keys. `migrates`: adds
/// 1000 to the state that it takes over, in which it counts otherwise.
fn asker(keys: &[(char, u64)], migrates: bool, then: &str) -> Vec<u8> {
    let mut top = format!(
        r#"(import "tidegate:bot/schedule@0.2.0" "wake-at" (func $wake (param i64 i32 i32 i32 i32 i32)))
        {STATE_SET} {STATE_GET} (data (i32.const 100) "k") (data (i32.const 300) "why")"#
    );
    let mut asks = String::new();
    for (nth, (key, hours)) in keys.iter().enumerate() {
        let at = 110 + nth;
        top += &format!(r#" (data (i32.const {at}) "{key}")"#);
        asks += &format!(
            "(call $wake (i64.add (local.get $time) (i64.const {nanos})) (i32.const {at}) (i32.const 1)
                (i32.const 300) (i32.const 3) (i32.const 500))",
            nanos = hours * 3_600_000_000_000
        );
    }
    let add = |number: u64| {
        format!(
            "(call $state_get (i32.const 100) (i32.const 1) (i32.const 600))
            (i64.store (i32.const 400) (i64.const {number}))
            (if (i32.load8_u (i32.const 604)) (then
                (i64.store (i32.const 400) (i64.add (i64.load (i32.load (i32.const 608))) (i64.const {number})))))
            (call $state_set (i32.const 100) (i32.const 1) (i32.const 400) (i32.const 8) (i32.const 500))"
        )
    };
    let handle = format!("(if (i32.eq (local.get $what) (i32.const 1)) (then {asks} {} {then}))", add(1));
    let text = module(&top, &handle);
    if !migrates {
        return component_for_world("policy", &text).unwrap();
    }
    let migrate = format!(
        r#"(func (export "migrate") (param i32 i32) (param i32 i32) (result i32) {} i32.const 16)
        (func (export "handle")"#,
        add(1000)
    );
    let text = text.replace("(func (export \"handle\")", &migrate);
    component_for_world("policy-with-migration", &text).unwrap()
}

/// The keys of a space that belong to what is kept aside, and those under which bots are woken with the bytes of each.
#[derive(Debug, Default, PartialEq)]
struct Stored {
    aside: usize,
    wakes: Vec<(String, Vec<u8>)>,
    times: usize,
}

fn stored(dir: &Path) -> Stored {
    let path = dir.join("tier/index");
    let look = move || {
        let index = Index::open(&path, "h".parse().unwrap(), Arc::new(SystemClock::default())).unwrap();
        let mut stored = Stored::default();
        let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
        let each = |key: &[u8], value: &[u8]| {
            match key.split_first() {
                Some((b'k', key)) => stored.wakes.push((String::from_utf8(key.to_vec()).unwrap(), value.to_vec())),
                Some((b't', _)) => stored.times += 1,
                _ => stored.aside += 1,
            }
            Ok(true)
        };
        index.view().scan(Space::Wakes, all, false, each).unwrap();
        let each = |key: &[u8], _: &[u8]| {
            stored.aside += usize::from(!key.contains(&0));
            Ok(true)
        };
        index.view().scan(Space::State, all, false, each).unwrap();
        stored
    };
    std::thread::spawn(look).join().unwrap()
}

/// Stops the host, and looks into its index before it is started again.
async fn look(fixture: Fixture) -> (Fixture, Stored) {
    let mut found = Stored::default();
    let fixture = fixture.restart(|dir| found = stored(dir)).await;
    (fixture, found)
}

fn keys(stored: &Stored) -> Vec<&str> {
    stored.wakes.iter().map(|(key, _)| key.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_put_back_is_woken_as_it_was_to_be() {
    let bot = || "bot".parse().unwrap();
    for migrates in [false, true] {
        let fixture = Fixture::new().await;
        let old = spec(&fixture, asker(&[('a', 1), ('b', 2)], false, "")).await;
        let new = spec(&fixture, asker(&[('b', 30), ('c', 40)], migrates, FAILS_AT_THREE)).await;
        fixture.host.install(bot(), old.clone(), Change::default()).await.unwrap();
        commit(&fixture, 1..=1).await;
        fixture.caught_up("bot").await;
        let (fixture, before) = look(fixture).await;
        assert_eq!((keys(&before), before.times, before.aside), (vec!["bot\0a", "bot\0b"], 2, 0));

        // The operator wants it back.
        fixture.host.install(bot(), new.clone(), Change::default()).await.unwrap();
        commit(&fixture, 2..=2).await;
        fixture.caught_up("bot").await;
        let (fixture, meanwhile) = look(fixture).await;
        assert_eq!(keys(&meanwhile), ["bot\0a", "bot\0b", "bot\0c"]);
        assert!(meanwhile.wakes[1] != before.wakes[1] && meanwhile.aside == 2 + usize::from(migrates));
        fixture.host.roll_back(&bot()).await.unwrap();
        let (fixture, back) = look(fixture).await;
        assert_eq!(back, before);

        // The same when it fails by itself.
        fixture.host.install(bot(), new, Change::default()).await.unwrap();
        commit(&fixture, 3..=3).await;
        fixture.event(|event| event.kind.name() == "bot-rolled-back" && failed(event)).await;
        fixture.caught_up("bot").await;
        let (_, back) = look(fixture).await;
        assert_eq!((keys(&back), back.times, back.aside), (keys(&before), 2, 0), "the third shard is the old one's");
    }
}

/// Whether it was put back by itself.
fn failed(event: &tidegate_core::Event) -> bool {
    serde_json::to_value(event).unwrap()["fault"].as_str().unwrap().contains("unreachable")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_of_a_version_goes_when_the_next_one_is_settled() {
    let fixture = Fixture::new().await;
    let old = spec(&fixture, asker(&[('a', 1)], false, "")).await;
    let new = spec(&fixture, asker(&[('a', 30)], true, "")).await;
    fixture.host.install("bot".parse().unwrap(), old, Change::default()).await.unwrap();
    commit(&fixture, 1..=1).await;
    fixture.caught_up("bot").await;
    // Its own start is an event as well.
    fixture.host.install("bot".parse().unwrap(), new, Change::Swap { probation: 5 }).await.unwrap();
    commit(&fixture, 2..=2).await;
    while fixture.bot("bot").await.previous.map(|(_, left)| left) != Some(3) {
        tokio::task::yield_now().await;
    }
    let (fixture, unsettled) = look(fixture).await;
    assert_eq!(unsettled.aside, 2, "the state and the wake");
    commit(&fixture, 3..=4).await;
    while fixture.bot("bot").await.previous.is_some() {
        tokio::task::yield_now().await;
    }
    assert_eq!(counted(&fixture), Some(1004));
    let (fixture, settled) = look(fixture).await;
    assert_eq!((settled.aside, keys(&settled)), (0, vec!["bot\0a"]));
    // Nor does anything stay behind of a bot that is removed before that.
    let again = spec(&fixture, asker(&[('a', 2)], false, "")).await;
    fixture.host.install("bot".parse().unwrap(), again, Change::default()).await.unwrap();
    fixture.host.uninstall(&"bot".parse().unwrap()).await.unwrap();
    let (_, removed) = look(fixture).await;
    assert_eq!(removed, Stored::default());
}

/// Damages a stored component.
fn damage(fixture: &Fixture, spec: &BotSpec) {
    let path = fixture.dir.path().join(format!("plugins/{}.wasm", spec.plugin));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_stays_if_the_one_before_it_is_lost() {
    let fixture = Fixture::new().await;
    let (old, new) = (spec(&fixture, counter("A", "")).await, spec(&fixture, counter("B", FAILS_AT_THREE)).await);
    let bot = || "bot".parse().unwrap();
    fixture.host.install(bot(), old.clone(), Change::default()).await.unwrap();
    fixture.host.install(bot(), new.clone(), Change::default()).await.unwrap();
    // A restart forgets what was compiled.
    let fixture = fixture.restart(|_| ()).await;
    damage(&fixture, &old);
    fixture.host.roll_back(&bot()).await.unwrap_err();
    assert_eq!(fixture.bot("bot").await.spec, new, "it is told, and nothing has changed");
    commit(&fixture, 1..=3).await;
    let told = fixture.event(|event| event.kind.name() == "bot-quarantined").await;
    let told = serde_json::to_value(&told).unwrap();
    assert!(told["fault"].as_str().unwrap().contains("can't be put back"), "{told}");
    let info = fixture.bot("bot").await;
    assert_eq!((&info.spec, &info.stopped, info.parked.is_some()), (&new, &None, true), "{info:?}");
    assert_eq!(counted(&fixture), Some(2), "what it decided before stands");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_with_other_triggers_goes_on_where_the_one_before_it_was() {
    let fixture = Fixture::new().await;
    let wide = spec(&fixture, counter("A", "")).await;
    let runs = vec![Glob("other".into())];
    let narrow = BotSpec { triggers: Triggers { runs, ..wide.triggers.clone() }, ..wide.clone() };
    let bot = || "bot".parse().unwrap();
    fixture.host.install(bot(), narrow, Change::default()).await.unwrap();
    commit(&fixture, 1..=5).await;
    fixture.caught_up("bot").await;
    fixture.host.install(bot(), wide, Change::default()).await.unwrap();
    commit(&fixture, 6..=6).await;
    fixture.caught_up("bot").await;
    assert_eq!(counted(&fixture), Some(1), "not what came before");
}
