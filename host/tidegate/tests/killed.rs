//! A host that is killed while two versions of a bot are at work: one that carries out what it decides, and one beside it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod common;

use std::{fs, path::Path, thread};

use common::{Host, save};
use serde_json::Value;
use tidegate_tests_support::guest::{PIN, component};

/// Pins each committed shard and counts it in a metric; then goes round so often.
fn counter(dir: &Path, rounds: u32) -> String {
    let top = format!(
        r#"{PIN} (import "tidegate:bot/metrics@0.2.0" "add" (func $add (param i32 i32 f64 i32)))
        (data (i32.const 100) "n") (data (i32.const 300) "why")"#
    );
    let handle = format!(
        "(if (i32.eq (local.get $what) (i32.const 1)) (then
            (call $pin (local.get $run) (local.get $run_len) (local.get $step) (i32.const 300) (i32.const 3) (i32.const 500))
            (call $add (i32.const 100) (i32.const 1) (f64.const 1) (i32.const 500))
            (local.set $settings (i32.const {rounds}))
            (loop $round (br_if $round (local.tee $settings (i32.sub (local.get $settings) (i32.const 1)))))))"
    );
    let file = dir.join(format!("{rounds}.wasm"));
    fs::write(&file, component(&top, &handle).unwrap()).unwrap();
    file.to_str().unwrap().to_owned()
}

fn install(host: &Host, file: &str, more: &[&str]) -> Value {
    let grants = r#"{"read":["*"],"pin":["*"]}"#;
    let triggers = r#"{"events":["shard-committed"]}"#;
    let words = ["bots", "install", file, "--name", "pins", "--grants", grants, "--triggers", triggers];
    host.json(&[&words, more].concat())
}

/// Looks at the bot until it is as wanted.
fn until(host: &Host, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        let bot = host.ask("GET", "/v1/bots/pins", "").json();
        if wanted(&bot) {
            return bot;
        }
        thread::yield_now();
    }
}

/// Events that the version beside the bot was given.
fn compared(bot: &Value) -> u64 {
    ["same", "different", "failed"].iter().map(|count| bot["candidate"][count].as_u64().unwrap()).sum()
}

#[test]
fn a_host_that_is_killed_while_a_candidate_is_at_work_handles_every_event_once_and_goes_on_comparing() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("host");
    let mut host = Host::start(&at);
    let (live, candidate) = (counter(dir.path(), 1), counter(dir.path(), 10_000_000));
    let live = install(&host, &live, &[])["plugin"].clone();
    let candidate = install(&host, &candidate, &["--beside"])["candidate"]["plugin"].clone();
    let (mut steps, mut in_the_middle) = (0, 0);
    for _ in 0..4 {
        for _ in 0..5 {
            steps += 1;
            save(&host, "gpt", steps, 0, 1, b"x");
        }
        // The candidate has decided about some of it, and not about the rest: a group of events is not written yet.
        let bot = until(&host, |bot| compared(bot) >= 2 || bot["lag"] == 0);
        in_the_middle += u32::from(bot["lag"] != 0);
        drop(host);
        host = Host::start(&at);
        let bot = host.json(&["bots", "show", "pins"]);
        assert_eq!((&bot["plugin"], &bot["candidate"]["plugin"]), (&live, &candidate));
        assert_eq!((&bot["state"], &bot["candidate"]["stopped"]), (&"running".into(), &Value::Null));
    }
    assert!(in_the_middle > 0, "no kill fell into the work of a candidate");
    let bot = until(&host, |bot| bot["lag"] == 0);
    assert_eq!(bot["metrics"]["n"], steps as f64, "each event is handled once: {bot}");
    let checkpoints = host.json(&["checkpoints", "gpt"]);
    let pinned = checkpoints.as_array().unwrap().iter().filter(|it| it["pinned"] == true).count();
    assert_eq!(pinned as u64, steps);
    // The comparison goes on with what comes, and the candidate can take over.
    save(&host, "gpt", steps + 1, 0, 1, b"x");
    until(&host, |bot| bot["lag"] == 0 && compared(bot) > 0);
    let promoted = host.json(&["bots", "promote", "pins", "--force"]);
    assert_eq!((&promoted["plugin"], &promoted["candidate"]), (&candidate, &Value::Null));
    save(&host, "gpt", steps + 2, 0, 1, b"x");
    let bot = until(&host, |bot| bot["lag"] == 0);
    assert_eq!(bot["metrics"]["n"], (steps + 2) as f64, "{bot}");
}
