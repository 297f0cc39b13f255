//! Bots that are installed with settings they refuse, or that fail when they are asked about them.

use serde_json::{Value, json};
use tidegate_api::{Bot, Page, Plugin};
use tidegate_tests_support::guest;

use super::site::{Site, on_shards};

/// A guest whose `configure` has this body.
fn configured(body: &str) -> Vec<u8> {
    let text = guest::module("", "").replace(
        r#"(func (export "configure") (param i32 i32) (result i32) i32.const 16)"#,
        &format!(r#"(func (export "configure") (param i32 i32) (result i32) {body} i32.const 16)"#),
    );
    assert!(text.contains(body), "the guest's text has another form");
    guest::component_for(&guest::wit(), &text).unwrap()
}

#[test]
fn settings_that_the_bot_refuses_install_nothing() {
    let site = Site::start();
    let plugin = site.bot("prune").plugin;
    let before: Page<Bot> = site.get("/v1/bots");
    for (settings, said) in [
        (json!({ "keep_last": 0 }), "keep_last"),
        (json!({ "keep_last": -1 }), "`-1`"),
        (json!({ "keep_lsat": 3 }), "keep_lsat"),
        (json!({ "keep_best": { "metric": "" } }), "keep_best.metric"),
        (json!({ "tiers": [] }), "tiers"),
        (json!({ "tiers": ["tape"] }), "tape"),
        (json!("text"), ""),
        (json!([1, 2]), ""),
    ] {
        let spec = json!({ "plugin": plugin, "settings": settings, "grants": { "read": ["*"], "prune": ["*"], "tiers": ["nvme"] } });
        let problem = site.refused("TG0022", "PUT", "/v1/bots/fussy", &spec);
        assert!(problem.detail.contains(said), "{settings}: {}", problem.detail);
        site.refused("TG0019", "GET", "/v1/bots/fussy", &Value::Null);
        // Nor is a bot changed that is there.
        site.refused("TG0022", "PUT", "/v1/bots/prune", &spec);
    }
    let long = json!({ "plugin": plugin, "settings": { "text": "x".repeat(65 << 10) } });
    site.refused("TG0025", "PUT", "/v1/bots/fussy", &long);
    let after: Page<Bot> = site.get("/v1/bots");
    let specs = |page: Page<Bot>| -> Vec<_> { page.items.into_iter().map(|bot| (bot.name, bot.settings)).collect() };
    assert_eq!(specs(after), specs(before));
    site.still_works();
}

#[test]
fn a_bot_that_fails_on_its_settings_is_not_installed() {
    let site = Site::start();
    for (body, said) in [
        ("unreachable", "unreachable"),
        ("(loop $l (br $l))", "units of fuel"),
        ("(drop (i32.load (i32.const -8)))", "out of bounds"),
    ] {
        // The bytes are a component of the world: whether it behaves is seen when it runs.
        let plugin = site.plugin(&configured(body));
        let problem = site.refused("TG0022", "PUT", "/v1/bots/broken", &on_shards(&plugin));
        println!("{body}: {}", problem.detail);
        // On a machine that others keep busy the deadline may come before the fuel is used up.
        let detail = &problem.detail;
        assert!(detail.contains(said) || detail.contains("ran longer than 1s"), "{body}: {detail}");
        site.refused("TG0019", "GET", "/v1/bots/broken", &Value::Null);
    }
    assert_eq!(site.get::<Page<Plugin>>("/v1/plugins").items.len(), 2 + 3);
    site.still_works();
}
