//! Policies in Python and JavaScript, made components by their own tools, at work on a real host in their closed room.

use std::{fs, path::Path, process::Command, time::Duration};

use serde_json::{Value, json};
use tidegate_api::{Checkpoint, Plugin, Save};
use tidegate_tests_support::{host::Options, http::Request, npm::Modules, venv::Venv, wait};

use crate::workshop::{root, run};

#[test]
#[ignore = "`cargo xtask prove python` runs it: it compiles an interpreter of Python"]
fn python_runs_in_a_closed_room_where_the_operator_lets_it() {
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("pins.wasm");
    let python = Venv::with("componentize", &["componentize-py"]).unwrap();
    let mut build = Command::new(python.bin("componentize-py"));
    build.arg("-d").arg(root().join("wit")).args(["-w", "policy", "componentize", "app", "-o"]).arg(&component);
    run(build.current_dir(root().join("examples/python-policy")));
    pins_every_fifth_step_if_it_may(folder.path(), &component);
}

#[test]
#[ignore = "`cargo xtask prove javascript` runs it: it compiles an interpreter of JavaScript"]
fn javascript_runs_in_a_closed_room_where_the_operator_lets_it() {
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("pins.wasm");
    let node = Modules::with("componentize", &["componentize-qjs@0.4.5"]).unwrap();
    let mut build = Command::new(node.bin("componentize-qjs"));
    build.arg("--wit").arg(root().join("wit")).args(["--world", "policy", "--sync", "--js", "app.js", "--output"]);
    run(build.arg(&component).current_dir(root().join("examples/javascript-policy")));
    pins_every_fifth_step_if_it_may(folder.path(), &component);
}

/// Installs the policy that both examples are, and lets it decide about two checkpoints.
fn pins_every_fifth_step_if_it_may(folder: &Path, component: &Path) {
    let host = Options::dev(&folder.join("host")).start().unwrap();
    let ask = |method: &str, path: &str, body: &Value| {
        let answer = host.send(&Request::new(method, path).json(&body.to_string())).unwrap();
        (answer.status, answer.json().unwrap_or_default())
    };
    let manifest = format!("@{}", root().join("examples/python-policy/manifest.json").display());
    let mut describe = Command::new(tidegate_tests_support::host::binary().unwrap());
    run(describe.args(["plugin", "describe"]).arg(component).args(["--manifest", &manifest]));
    let component = fs::read(component).unwrap();
    let upload = Request {
        content_type: Some("application/wasm"),
        body: &component,
        timeout: Duration::from_secs(180),
        ..Request::new("POST", "/v1/plugins")
    };
    let answer = host.send(&upload).unwrap();
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    let uploaded: Plugin = serde_json::from_slice(&answer.body).unwrap();
    let mut bot = json!({ "plugin": uploaded.digest, "triggers": { "events": ["checkpoint-complete"] } });
    bot["grants"] = json!({ "read": ["*"], "pin": ["*"] });
    let (status, refused): (u16, Value) = ask("PUT", "/v1/bots/guest", &bot);
    assert_eq!((status, refused["code"].as_str()), (409, Some("TG0033")), "{refused}");
    bot["grants"]["wasi"] = json!(true);
    bot["settings"] = json!({ "every": 0 });
    let (status, refused) = ask("PUT", "/v1/bots/guest", &bot);
    assert_eq!((status, refused["detail"].as_str()), (400, Some("`every` is a number of steps, 1 or more")));
    bot["settings"] = json!({ "every": 5 });
    assert_eq!(ask("PUT", "/v1/bots/guest", &bot).0, 200);

    for step in [10, 11] {
        let begin = json!({ "run": "gpt", "step": step, "rank": 0, "world_size": 1 });
        let save: Save = serde_json::from_value(ask("POST", "/v1/saves", &begin).1).unwrap();
        fs::write(Path::new(&save.path).join("weights"), "bytes").unwrap();
        assert_eq!(ask("POST", &format!("/v1/saves/{}/commit", save.save_id), &json!({})).0, 200);
    }
    let looked = |step: u64| host.ask::<Checkpoint>(&format!("/v1/runs/gpt/checkpoints/{step}"));
    let pinned = wait::until("the pin", Duration::from_secs(120), || Ok(Some(looked(10)?).filter(|it| it.pinned)));
    let pinned = pinned.unwrap();
    assert_eq!((pinned.pins[0].by.as_str(), pinned.pins[0].reason.as_str()), ("guest", "a multiple of 5"));
    wait::until("the bot to be done", Duration::from_secs(120), || {
        Ok((host.get("/v1/bots/guest")?["lag"] == 0).then_some(()))
    })
    .unwrap();
    assert!(!looked(11).unwrap().pinned);
    let bot = host.get("/v1/bots/guest").unwrap();
    assert_eq!((&bot["faults"], &bot["log"]), (&json!(0), &json!(["info: pinned gpt step 10"])), "{bot}");
}
