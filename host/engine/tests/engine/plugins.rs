//! Uploaded components: how they go.

use serde_json::json;
use tidegate_core::{BotName, Code, Digest, EventKind};
use tidegate_engine::{BotSpec, Change};
use tidegate_tests_support::guest::component;

use crate::fixture::{Fixture, pin_grants};

fn bot() -> BotName {
    "bot".parse().unwrap()
}

/// A component of its own for each mark, which fails on every shard if told.
fn made(mark: &str, fails: bool) -> Vec<u8> {
    let top = format!(r#"(data (i32.const 900) "{mark}")"#);
    let fail = "(if (i32.eq (local.get $what) (i32.const 1)) (then unreachable))";
    component(&top, if fails { fail } else { "" }).unwrap()
}

async fn added(fixture: &Fixture, component: Vec<u8>) -> Digest {
    fixture.host.add_plugin(component.into()).await.unwrap().digest
}

fn spec(plugin: Digest) -> BotSpec {
    let triggers = tidegate_core::Triggers { events: ["shard-committed".to_owned()].into(), runs: vec![] };
    BotSpec { plugin, settings: json!({}), grants: pin_grants(), triggers, mode: Default::default() }
}

/// It is refused, and named by whom it is needed.
async fn needed(fixture: &Fixture, plugin: Digest, by: &str) {
    let error = fixture.host.remove_plugin(plugin).await.unwrap_err();
    assert!(error.code == Code::PluginInUse && error.detail.contains(by), "{error}");
    assert!(fixture.host.plugins().await.unwrap().iter().any(|it| it.digest == plugin));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_goes_once_nothing_needs_it_and_with_it_what_was_compiled() {
    let fixture = Fixture::new().await;
    let plugin = added(&fixture, made("goes", false)).await;
    // It is compiled in memory and in the cache.
    fixture.host.try_out(bot(), spec(plugin), 0, 10).await.unwrap();
    let compiled = || {
        let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
        let names = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(&plugin.to_string())).count()
    };
    assert_eq!(compiled(), 1);
    fixture.host.remove_plugin(plugin).await.unwrap();
    assert_eq!((fixture.host.plugins().await.unwrap(), compiled()), (vec![], 0));
    let gone = fixture.host.install(bot(), spec(plugin), Change::default()).await.unwrap_err();
    assert_eq!(gone.code, Code::UnknownPlugin, "it does not come back out of memory");
    assert_eq!(fixture.host.remove_plugin(plugin).await.unwrap_err().code, Code::UnknownPlugin);
    // Uploaded once more it is as new.
    assert_eq!(added(&fixture, made("goes", false)).await, plugin);
    fixture.host.install(bot(), spec(plugin), Change::default()).await.unwrap();
    let fixture = fixture.restart(|_| ()).await;
    assert_eq!(fixture.bot("bot").await.stopped, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_component_is_to_be_uploaded_again_and_is_then_as_good_as_new() {
    let fixture = Fixture::new().await;
    let component = made("rots", false);
    let plugin = added(&fixture, component.clone()).await;
    std::fs::write(fixture.dir.path().join(format!("plugins/{plugin}.wasm")), b"rot").unwrap();
    let error = fixture.host.install(bot(), spec(plugin), Change::default()).await.unwrap_err();
    assert_eq!(error.code, Code::DamagedPlugin, "{error}");
    assert!(error.code.hint().contains("tidegate bots install FILE"));
    assert_eq!(added(&fixture, component).await, plugin);
    fixture.host.install(bot(), spec(plugin), Change::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bot_runs_goes_back_to_or_is_compared_with_stays() {
    let fixture = Fixture::new().await;
    let (old, new, beside) = (
        added(&fixture, made("old", false)).await,
        added(&fixture, made("new", false)).await,
        added(&fixture, made("beside", false)).await,
    );
    fixture.host.install(bot(), spec(old), Change::default()).await.unwrap();
    needed(&fixture, old, "bot bot runs it").await;
    fixture.host.install(bot(), spec(new), Change::default()).await.unwrap();
    needed(&fixture, old, "bot bot may go back to it").await;
    fixture.host.install(bot(), spec(beside), Change::Beside).await.unwrap();
    needed(&fixture, beside, "it runs beside bot bot").await;
    fixture.host.abandon(&bot()).await.unwrap();
    fixture.host.remove_plugin(beside).await.unwrap();
    // The next version is what one goes back to then.
    let next = added(&fixture, made("next", false)).await;
    fixture.host.install(bot(), spec(next), Change::default()).await.unwrap();
    fixture.host.remove_plugin(old).await.unwrap();
    needed(&fixture, new, "bot bot may go back to it").await;
    fixture.host.uninstall(&bot()).await.unwrap();
    fixture.host.remove_plugin(new).await.unwrap();
    fixture.host.remove_plugin(next).await.unwrap();
    assert_eq!(fixture.host.plugins().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_event_is_parked_with_stays() {
    let fixture = Fixture::new().await;
    let bad = added(&fixture, made("bad", true)).await;
    fixture.host.install(bot(), spec(bad), Change::default()).await.unwrap();
    fixture.commit(1, 0, 1, &[("a", b"x")]).await;
    fixture.event(|event| matches!(event.kind, EventKind::BotQuarantined { .. })).await;
    while fixture.bot("bot").await.quarantined.is_none() {
        tokio::task::yield_now().await;
    }
    fixture.host.skip(&bot()).await.unwrap();
    let good = added(&fixture, made("good", false)).await;
    fixture.host.install(bot(), spec(good), Change::Swap { probation: 0 }).await.unwrap();
    needed(&fixture, bad, "events that bot bot has parked with it: 1").await;
    let parked = fixture.host.letters(&bot()).await.unwrap()[0].event.seq;
    fixture.host.drop_letter(&bot(), parked).await.unwrap();
    fixture.host.remove_plugin(bad).await.unwrap();
}
