//! What is not there is said not to be there, each by its own code.

use serde_json::{Value, json};

use super::site::Site;

#[test]
fn what_is_not_known_is_not_found_and_the_code_says_what() {
    let site = Site::start();
    site.checkpoint("known", 1);
    let (none, digest, job) = (Value::Null, "0".repeat(64), "0".repeat(32));
    let reason = json!({ "reason": "a test" });
    for (code, method, path, body) in [
        ("TG0004", "GET", "/", &none),
        ("TG0004", "GET", "/v1/nothing", &none),
        ("TG0004", "GET", "/v2/runs", &none),
        ("TG0004", "DELETE", "/v1/health", &none),
        ("TG0005", "GET", "/v1/runs/nobody", &none),
        ("TG0005", "GET", "/v1/runs/Known", &none),
        ("TG0005", "GET", "/v1/runs/nobody/checkpoints", &none),
        ("TG0005", "GET", "/v1/runs/nobody/checkpoints/latest", &none),
        ("TG0005", "PUT", "/v1/runs/nobody/checkpoints/1/pin", &reason),
        ("TG0005", "POST", "/v1/restores", &json!({ "run": "nobody", "step": "latest" })),
        ("TG0006", "GET", "/v1/runs/known/checkpoints/2", &none),
        ("TG0006", "PUT", "/v1/runs/known/checkpoints/2/pin", &reason),
        ("TG0006", "POST", "/v1/runs/known/checkpoints/2/prune", &json!({ "tier": "nvme", "reason": "a test" })),
        ("TG0006", "POST", "/v1/restores", &json!({ "run": "known", "step": 2 })),
        ("TG0006", "POST", "/v1/restores", &json!({ "run": "known", "step": 1, "ranks": [0, 7] })),
        ("TG0007", "POST", "/v1/saves/s0-0/commit", &json!({})),
        ("TG0007", "POST", "/v1/saves/s0-0/touch", &none),
        ("TG0007", "DELETE", "/v1/saves/s0-0", &none),
        ("TG0017", "GET", &format!("/v1/jobs/{job}"), &none),
        ("TG0017", "DELETE", &format!("/v1/jobs/{job}"), &none),
        ("TG0018", "GET", "/v1/restores/r0", &none),
        ("TG0018", "DELETE", "/v1/restores/..%2f..%2ftier", &none),
        ("TG0019", "GET", "/v1/bots/nobody", &none),
        ("TG0019", "DELETE", "/v1/bots/nobody", &none),
        ("TG0019", "POST", "/v1/bots/nobody/resume", &none),
        ("TG0020", "PUT", "/v1/bots/nobody", &json!({ "plugin": digest })),
    ] {
        let problem = site.refused(code, method, path, body);
        let status = if path == "/v1/health" { 405 } else { 404 };
        assert_eq!(problem.status, status, "{method} {path}");
    }
    assert_eq!(site.runs(), ["known"], "a question makes no run");
    site.still_works();
}

#[test]
fn an_incomplete_checkpoint_is_neither_restored_nor_the_latest() {
    let site = Site::start();
    let begin = json!({ "run": "half", "step": 5, "rank": 1, "world_size": 2 });
    let save: tidegate_api::Save = site.done("POST", "/v1/saves", &begin);
    std::fs::write(std::path::Path::new(&save.path).join("weights.bin"), [1; 100]).unwrap();
    assert!(!site.commit(&save).complete);
    site.refused("TG0015", "POST", "/v1/restores", &json!({ "run": "half", "step": 5 }));
    site.refused("TG0006", "POST", "/v1/restores", &json!({ "run": "half", "step": "latest" }));
    site.refused("TG0006", "GET", "/v1/runs/half/checkpoints/latest", &Value::Null);
    let prune = json!({ "tier": "nvme", "reason": "a test" });
    let refused = site.refused("TG0023", "POST", "/v1/runs/half/checkpoints/5/prune", &prune);
    assert!(refused.detail.contains("no complete checkpoint yet"), "{}", refused.detail);
    // Another world size, the same rank with other bytes, a commit that is told to be of another save.
    site.refused("TG0009", "POST", "/v1/saves", &json!({ "run": "half", "step": 5, "rank": 0, "world_size": 3 }));
    let again: tidegate_api::Save = site.done("POST", "/v1/saves", &begin);
    std::fs::write(std::path::Path::new(&again.path).join("weights.bin"), [2; 100]).unwrap();
    site.refused("TG0008", "POST", &format!("/v1/saves/{}/commit", again.save_id), &json!({}));
    site.still_works();
}
