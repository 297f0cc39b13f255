//! The tutorial of `sdk/rust`, by its letter: its crate, its bot, its tests and its commands, and the bot does what it says.

use std::{fs, path::Path, time::Duration};

use serde_json::{Value, json};
use tidegate_api::{Checkpoint, Plugin, Save};
use tidegate_tests_support::{host::Options, http::Request, wait};

use crate::workshop::{Workshop, root, run};

/// The blocks of code in this language, in their order.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let (mut found, mut within) = (Vec::new(), None::<String>);
    for line in text.lines() {
        match (&mut within, line.strip_prefix("```")) {
            (None, Some(rest)) if rest == language => within = Some(String::new()),
            (Some(_), Some(_)) => found.extend(within.take()),
            (Some(block), None) => *block += &format!("{line}\n"),
            _ => {}
        }
    }
    found
}

#[test]
fn the_tutorial_leads_to_a_bot_at_work() {
    let tutorial = fs::read_to_string(root().join("sdk/rust/README.md")).unwrap();
    let [manifest, bot, tests, installation] =
        ["toml", "rust", "rust,ignore", "json"].map(|language| blocks(&tutorial, language));
    let workshop = Workshop::open("milestones");
    fs::create_dir_all(workshop.crate_dir.join("src")).unwrap();
    let sdk = format!("tidegate-sdk = {{ path = {:?} }} #", root().join("sdk/rust"));
    // A workspace of its own, since it stands within this one.
    let manifest = manifest[0].replace("tidegate-sdk = ", &sdk) + "\n[workspace]\n";
    fs::write(workshop.crate_dir.join("Cargo.toml"), manifest).unwrap();
    let source = format!("{}\n#[cfg(test)]\nmod tests {{\nuse super::*;\n{}}}\n", bot[0], tests.concat());
    fs::write(workshop.crate_dir.join("src/lib.rs"), source).unwrap();
    workshop.equip();

    let said = run(&mut workshop.plugin(&["test"]));
    assert!(said.contains(&format!("{} passed", tests.len() + 1)), "each test, and that of the schema: {said}");
    run(&mut workshop.plugin(&["build"]));
    let shown = run(&mut workshop.plugin(&["inspect", "target/plugins/milestones.wasm"]));
    let table = blocks(&tutorial, "text").concat();
    assert!(shown.ends_with(&table), "{shown}");

    let folder = tempfile::tempdir().unwrap();
    let host = Options::dev(&folder.path().join("host")).start().unwrap();
    let component = fs::read(workshop.crate_dir.join("target/plugins/milestones.wasm")).unwrap();
    let upload =
        Request { content_type: Some("application/wasm"), body: &component, ..Request::new("POST", "/v1/plugins") };
    let plugin: Plugin = serde_json::from_slice(&host.send(&upload).unwrap().body).unwrap();
    let ask = |method: &str, path: &str, body: &str| -> Value {
        let answer = host.send(&Request::new(method, path).json(body)).unwrap();
        assert!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
        answer.json().unwrap()
    };
    ask("PUT", "/v1/bots/milestones", &installation[0].replace("<digest>", &plugin.digest));

    let begin = json!({ "run": "gpt-1", "step": 15_000, "rank": 0, "world_size": 1 });
    let save: Save = serde_json::from_value(ask("POST", "/v1/saves", &begin.to_string())).unwrap();
    fs::write(Path::new(&save.path).join("weights"), "bytes").unwrap();
    ask("POST", &format!("/v1/saves/{}/commit", save.save_id), "{}");
    let pinned = wait::until("the pin", Duration::from_secs(120), || {
        Ok(Some(host.ask::<Checkpoint>("/v1/runs/gpt-1/checkpoints/15000")?).filter(|it| it.pinned))
    });
    assert_eq!(pinned.unwrap().pins[0].reason, "a multiple of 5000");
}
