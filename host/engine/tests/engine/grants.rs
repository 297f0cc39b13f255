//! What an operator may grant, and what a component must have been granted before it runs.

use serde_json::json;
use tidegate_core::{BotName, Code, Glob, Grants, Triggers};
use tidegate_engine::{BotSpec, Change, Error};
use tidegate_tests_support::guest::{PIN, STATE_SET, component, component_for, module, wit, with_manifest};

use crate::fixture::{Fixture, pin_grants, replicate_grants, replicator};

fn bot() -> BotName {
    "bot".parse().unwrap()
}

async fn spec(fixture: &Fixture, component: Vec<u8>, grants: Grants) -> BotSpec {
    let plugin = fixture.host.add_plugin(component.into()).await.unwrap().digest;
    BotSpec { plugin, settings: json!({}), grants, triggers: Triggers::default(), mode: Default::default() }
}

/// Refused by installation and trial alike, with the same words; nothing is installed.
async fn refused(fixture: &Fixture, spec: BotSpec) -> Error {
    let tried = fixture.host.try_out(bot(), spec.clone(), 0, 10).await.unwrap_err();
    let refused = fixture.host.install(bot(), spec, Change::default()).await.unwrap_err();
    assert_eq!(tried, refused);
    assert_eq!(fixture.host.bot(&bot()).await.unwrap_err().code, Code::UnknownBot);
    refused
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_the_host_does_not_have_is_refused_with_the_one_it_has() {
    let fixture = Fixture::new().await;
    let grants = Grants { targets: ["default", "cold"].map(|name| name.parse().unwrap()).into(), ..replicate_grants() };
    let error = refused(&fixture, spec(&fixture, replicator(), grants).await).await;
    assert_eq!(error.code, Code::BadRequest);
    assert_eq!(error.detail, "field `grants.targets`: this host has no target `cold`; it has `default`");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_pattern_is_refused_with_its_place() {
    let fixture = Fixture::new().await;
    let with = |glob: &str| vec![Glob(glob.to_owned())];
    let grants = Grants { pin: with("gpt-[0-9]"), ..pin_grants() };
    let error = refused(&fixture, spec(&fixture, replicator(), grants).await).await;
    assert!(error.code == Code::BadRequest && error.detail.starts_with("field grants.pin[0]: run pattern"), "{error}");
    let many = Grants { read: vec![Glob("*".into()); 65], ..Grants::default() };
    let error = refused(&fixture, spec(&fixture, replicator(), many).await).await;
    assert_eq!(error.detail, "field grants.read: 65 patterns where at most 64 are taken");
    let mut spec = spec(&fixture, replicator(), replicate_grants()).await;
    spec.triggers.runs = with(&"x".repeat(100_000));
    let error = refused(&fixture, spec).await;
    assert!(error.detail.starts_with("field triggers.runs[0]") && error.detail.len() < 400, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_can_be_granted_is_refused_with_the_most_that_can() {
    let fixture = Fixture::new().await;
    for (grants, said) in [
        (
            Grants { effects_per_event: Some(99_999), ..replicate_grants() },
            "field grants.effects_per_event: 99999; give 0 to 4096",
        ),
        (
            Grants { state_bytes: Some(99_999_999_999_999), ..replicate_grants() },
            "field grants.state_bytes: 99999999999999; give 0 to 67108864",
        ),
    ] {
        let error = refused(&fixture, spec(&fixture, replicator(), grants).await).await;
        assert_eq!((error.code, error.detail.as_str()), (Code::BadRequest, said));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_without_a_manifest_is_installed_only_with_all_that_it_imports() {
    let fixture = Fixture::new().await;
    let two = component(&format!("{PIN} {STATE_SET}"), "").unwrap();
    let nothing = Grants { state_bytes: Some(0), ..Grants::default() };
    let error = refused(&fixture, spec(&fixture, two.clone(), nothing).await).await;
    assert_eq!(error.code, Code::NotGranted);
    assert!(error.detail.starts_with("it imports `pin`, `state`, which is not granted"), "{error}");
    let error = refused(&fixture, spec(&fixture, two.clone(), Grants::default()).await).await;
    assert!(error.detail.starts_with("it imports `pin`, which is not granted"), "{error}");
    fixture.host.install(bot(), spec(&fixture, two, pin_grants()).await, Change::default()).await.unwrap();
    // One that imports nothing to be granted needs nothing.
    let spec = spec(&fixture, component("", "").unwrap(), Grants::default()).await;
    fixture.host.install("free".parse().unwrap(), spec, Change::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_need_that_the_grants_do_not_cover_is_refused_with_what_is_lacking() {
    let fixture = Fixture::new().await;
    let with = |wants: serde_json::Value| {
        let manifest = json!({
            "manifest": 1, "name": "pins", "version": "1.0.0", "worlds": ["tidegate:bot/policy@0.2.0"], "wants": wants,
        });
        with_manifest(component(PIN, "").unwrap(), manifest).unwrap()
    };
    let needs = json!({ "why": "to hold", "runs": ["gpt-*", "llama"], "effects_per_minute": 100 });
    let pins = |runs: &[&str], effects| Grants {
        pin: runs.iter().map(|run| Glob((*run).into())).collect(),
        effects_per_minute: Some(effects),
        ..Grants::default()
    };
    let plugin = with(json!({ "pin": needs.clone() }));
    let error = refused(&fixture, spec(&fixture, plugin.clone(), pins(&["gpt-1", "ll*"], 60)).await).await;
    assert_eq!(error.code, Code::NotGranted);
    let lacking = "`pin` (to hold) for runs `gpt-*` and `effects_per_minute` 100 (it is 60)";
    assert_eq!(error.detail, format!("pins 1.0.0 is not granted {lacking}"));
    let enough = spec(&fixture, plugin, pins(&["g*", "llama"], 100)).await;
    fixture.host.install(bot(), enough, Change::default()).await.unwrap();
    // What is optional keeps nothing from being installed.
    let mut optional = needs;
    optional["optional"] = true.into();
    let spec = spec(&fixture, with(json!({ "pin": optional })), Grants::default()).await;
    fixture.host.install("free".parse().unwrap(), spec, Change::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_of_the_older_world_is_held_to_the_same() {
    let fixture = Fixture::new().await;
    let prune =
        r#"(import "tidegate:bot/checkpoints@0.1.0" "prune" (func $prune (param i32 i32 i64 i32 i32 i32 i32)))"#;
    let old = component_for(&wit().join("v0.1"), &module(prune, "")).unwrap();
    let error = refused(&fixture, spec(&fixture, old.clone(), pin_grants()).await).await;
    assert!(
        error.code == Code::NotGranted && error.detail.starts_with("it imports `prune`, which is not granted"),
        "{error}"
    );
    let grants = Grants { prune: vec![Glob("*".into())], tiers: [tidegate_core::Tier::Nvme].into(), ..pin_grants() };
    fixture.host.install(bot(), spec(&fixture, old, grants).await, Change::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probation_has_a_bound() {
    let fixture = Fixture::new().await;
    let spec = spec(&fixture, component("", "").unwrap(), Grants::default()).await;
    let with = |probation| fixture.host.install(bot(), spec.clone(), Change::Swap { probation });
    let error = with(1_000_001).await.unwrap_err();
    assert_eq!(
        (error.code, error.detail.as_str()),
        (Code::BadRequest, "field `probation`: 1000001 events; give 0 to 1000000")
    );
    with(1_000_000).await.unwrap();
}
