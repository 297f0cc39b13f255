//! Absurd numbers.

use serde_json::{Value, json};

use super::site::Site;

fn begin(field: &str, value: Value) -> Value {
    let mut begin = json!({ "run": "gpt", "step": 1, "rank": 0, "world_size": 1 });
    begin[field] = value;
    begin
}

#[test]
fn numbers_out_of_their_bounds_are_refused_by_rule() {
    let site = Site::start();
    for (code, field, value) in [
        ("TG0003", "step", json!(1_000_000_000_000_001_u64)),
        ("TG0003", "step", json!(u64::MAX)),
        ("TG0002", "step", json!(-1)),
        ("TG0002", "step", json!(1.5)),
        ("TG0002", "step", json!(1e300)),
        ("TG0003", "rank", json!(1)),
        ("TG0003", "rank", json!(65_536)),
        ("TG0003", "rank", json!(u32::MAX)),
        ("TG0002", "rank", json!(u64::from(u32::MAX) + 1)),
        ("TG0003", "world_size", json!(0)),
        ("TG0003", "world_size", json!(65_537)),
        ("TG0002", "world_size", json!(-2)),
        ("TG0003", "bytes", json!((16_u64 << 40) + 1)),
        ("TG0003", "bytes", json!(u64::MAX)),
        ("TG0002", "bytes", json!(-1)),
        // Allowed, and more than any disk of a test has: refused before the first byte.
        ("TG0010", "bytes", json!(16_u64 << 40)),
    ] {
        let problem = site.refused(code, "POST", "/v1/saves", &begin(field, value.clone()));
        if code == "TG0010" {
            assert_eq!(problem.status, 507);
        }
    }
    site.leaves_nothing();
    assert_eq!(site.runs(), [""; 0]);
    // A whole number at each bound is taken.
    let most = json!({ "run": "gpt", "step": 1_000_000_000_000_000_u64, "rank": 65_535, "world_size": 65_536 });
    let save: tidegate_api::Save = site.done("POST", "/v1/saves", &most);
    assert_eq!(site.send("DELETE", &format!("/v1/saves/{}", save.save_id), &[], None).status, 204);
    site.still_works();
}

#[test]
fn numbers_in_paths_and_queries_are_held_to_the_same_rules() {
    let site = Site::start();
    site.checkpoint("gpt", 1);
    let none = Value::Null;
    for step in ["-1", "1.0", "0x1", "1e3", "99999999999999999999999", "1000000000000001", "LATEST", "%31%00"] {
        site.refused("TG0003", "GET", &format!("/v1/runs/gpt/checkpoints/{step}"), &none);
    }
    for query in [
        "/v1/runs?limit=0",
        "/v1/runs?limit=1001",
        "/v1/runs?limit=-1",
        "/v1/runs?limit=many",
        "/v1/runs?page=../..",
        "/v1/runs?colour=red",
        "/v1/runs/gpt/checkpoints?page=1",
        "/v1/jobs?limit=18446744073709551616",
        "/v1/events?after=-1",
        "/v1/events?wait=-1",
        "/v1/events?wait=NaN",
        "/v1/events?limit=100000",
    ] {
        site.refused("TG0002", "GET", query, &none);
    }
    for body in [json!({ "run": "gpt", "step": -1 }), json!({ "run": "gpt", "step": 1, "ranks": [-1] })] {
        site.refused("TG0002", "POST", "/v1/restores", &body);
    }
    site.refused("TG0003", "POST", "/v1/restores", &json!({ "run": "gpt", "step": "newest" }));
    site.refused("TG0003", "POST", "/v1/restores", &json!({ "run": "gpt", "step": 1, "ranks": [65_536] }));
    site.refused("TG0002", "POST", "/v1/restores", &json!({ "run": "gpt", "step": 1, "ranks": [] }));
    site.still_works();
}

#[test]
fn metrics_are_finite_numbers_and_few() {
    let site = Site::start();
    let many: serde_json::Map<String, Value> = (0..65).map(|n| (format!("m{n}"), json!(1.0))).collect();
    for (code, metrics) in [
        ("TG0003", Value::Object(many)),
        ("TG0003", json!({ "": 1.0 })),
        ("TG0003", json!({ "x".repeat(65): 1.0 })),
        ("TG0003", json!({ "loss\n": 1.0 })),
        ("TG0002", json!({ "loss": null })),
        ("TG0002", json!({ "loss": "low" })),
        ("TG0002", json!([1.0])),
    ] {
        let save = site.begin("gpt", 1);
        std::fs::write(std::path::Path::new(&save.path).join("weights.bin"), [1; 10]).unwrap();
        let commit = format!("/v1/saves/{}/commit", save.save_id);
        site.refused(code, "POST", &commit, &json!({ "metrics": metrics }));
        // A refused request is no commit: the save is still there, and can be given up.
        assert_eq!(site.send("DELETE", &format!("/v1/saves/{}", save.save_id), &[], None).status, 204);
    }
    let body = br#"{"metrics":{"loss":NaN}}"#;
    let save = site.begin("gpt", 1);
    let response = site.send("POST", &format!("/v1/saves/{}/commit", save.save_id), body, Some("application/json"));
    super::site::check(&response, "TG0002", "NaN");
    assert_eq!(site.send("DELETE", &format!("/v1/saves/{}", save.save_id), &[], None).status, 204);
    assert_eq!(site.runs(), [""; 0]);
    site.still_works();
}
