//! An author's way, with nothing but the command line: a new plugin, its tests, its component, what is in it, and a bot
//! that does what it was written for.

use std::{fs, path::Path, process::Command, time::Duration};

use serde_json::{Value, json};
use tidegate_api::{Checkpoint, Plugin, Save};
use tidegate_tests_support::{
    host::{self, Options, TidegateProcess},
    http::Request,
    wait,
};

use crate::workshop::{Workshop, root, run};

fn ask(host: &TidegateProcess, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let answer = host.send(&Request::new(method, path).json(&body.to_string())).unwrap();
    (answer.status, answer.json().unwrap_or_default())
}

#[test]
fn a_plugin_goes_from_nothing_to_a_bot_at_work() {
    let workshop = Workshop::open("round-steps");
    let tidegate = host::binary().unwrap();
    let new = || {
        let mut command = Command::new(&tidegate);
        command
            .args(["plugin", "new", "round-steps", "--sdk"])
            .arg(root().join("sdk/rust"))
            .current_dir(&workshop.kept);
        command
    };
    run(&mut new());
    workshop.equip();
    let crate_dir = &workshop.crate_dir;
    let again = new().output().unwrap();
    assert_eq!(again.status.code(), Some(2), "what is there is not written over");

    let plugin = |words: &[&str]| workshop.plugin(words);
    let said = run(&mut plugin(&["test"]));
    assert!(said.contains("a_round_step_is_pinned_and_others_are_not ... ok"), "{said}");
    let said = run(&mut plugin(&["test", "--", "round_step"]));
    assert!(said.contains("1 passed"), "{said}");
    let source = crate_dir.join("src/lib.rs");
    let good = fs::read_to_string(&source).unwrap();
    fs::write(&source, good.replace("a multiple of 10000", "a multiple of 3")).unwrap();
    let failed = plugin(&["test"]).output().unwrap();
    assert_eq!(failed.status.code(), Some(1));
    let [out, err] = [failed.stdout, failed.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(out.contains("a_round_step_is_pinned_and_others_are_not ... FAILED"), "{out}");
    assert!(err.contains("the tests of round-steps did not pass"), "{err}");
    fs::write(&source, good).unwrap();

    run(&mut plugin(&["build"]));
    let component = crate_dir.join("target/plugins/round-steps.wasm");
    let inspected = run(Command::new(&tidegate).args(["plugin", "inspect", "--json"]).arg(&component));
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    assert_eq!(inspected["uses"], json!(["pin"]));
    assert_eq!(inspected["manifest"]["name"], "round-steps");
    let every = &inspected["manifest"]["settings"]["properties"]["every"];
    assert_eq!((&every["default"], &every["minimum"]), (&json!(10_000), &json!(1)));
    let shown = run(Command::new(&tidegate).args(["plugin", "inspect"]).arg(&component));
    let row = shown.lines().find(|line| line.starts_with("every ")).unwrap();
    assert!(row.contains("integer, 1 or more") && row.contains("Steps that are a multiple"), "{shown}");
    let made = fs::read(&component).unwrap();
    run(&mut plugin(&["build"]));
    assert_eq!(fs::read(&component).unwrap(), made, "the same source gives the same bytes");

    let folder = tempfile::tempdir().unwrap();
    let host = Options::dev(&folder.path().join("host")).start().unwrap();
    let component = fs::read(component).unwrap();
    let upload =
        Request { content_type: Some("application/wasm"), body: &component, ..Request::new("POST", "/v1/plugins") };
    let uploaded: Plugin = serde_json::from_slice(&host.send(&upload).unwrap().body).unwrap();
    assert_eq!(inspected["digest"], uploaded.digest);
    assert_eq!(uploaded.manifest, Some(inspected["manifest"].clone()));
    let listed = ask(&host, "GET", "/v1/plugins", &Value::Null).1;
    assert!(listed["items"].as_array().unwrap().iter().any(|it| it["manifest"] == inspected["manifest"]), "{listed}");

    let mut bot = json!({ "plugin": uploaded.digest, "triggers": { "events": ["checkpoint-complete"] } });
    bot["grants"] = json!({ "read": ["*"] });
    let (status, refused) = ask(&host, "PUT", "/v1/bots/round", &bot);
    assert_eq!((status, refused["code"].as_str()), (409, Some("TG0033")), "{refused}");
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("`pin` (to hold every checkpoint"), "{detail}");
    bot["grants"] = json!({ "read": ["*"], "pin": ["*"] });
    bot["settings"] = json!({ "every": 5 });
    assert_eq!(ask(&host, "PUT", "/v1/bots/round", &bot).0, 200);

    for step in [10, 11] {
        let begin = json!({ "run": "gpt", "step": step, "rank": 0, "world_size": 1 });
        let save: Save = serde_json::from_value(ask(&host, "POST", "/v1/saves", &begin).1).unwrap();
        fs::write(Path::new(&save.path).join("weights"), "bytes").unwrap();
        assert_eq!(ask(&host, "POST", &format!("/v1/saves/{}/commit", save.save_id), &json!({})).0, 200);
    }
    let looked = |step: u64| host.ask::<Checkpoint>(&format!("/v1/runs/gpt/checkpoints/{step}"));
    let pinned =
        wait::until("the pin", Duration::from_secs(120), || Ok(Some(looked(10)?).filter(|it| it.pinned))).unwrap();
    assert_eq!((pinned.pins[0].by.as_str(), pinned.pins[0].reason.as_str()), ("round", "a multiple of 5"));
    wait::until("the bot to be done", Duration::from_secs(120), || {
        Ok((host.get("/v1/bots/round")?["lag"] == 0).then_some(()))
    })
    .unwrap();
    assert!(!looked(11).unwrap().pinned);
}
