//! The command line and a bot's versions: parked events, a version beside another, one that is put back, what one would do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod common;

use std::{fs, path::Path, thread, time::Duration};

use common::{Host, output, save, tidegate};
use serde_json::Value;
use tidegate_tests_support::guest::{PIN, component};

/// Pins each committed shard, and does what `then` says.
fn plugin(dir: &Path, name: &str, then: &str) -> String {
    let top = format!(r#"{PIN} (data (i32.const 300) "why {name}")"#);
    let reason = 4 + name.len();
    let handle = format!(
        "(if (i32.eq (local.get $what) (i32.const 1)) (then
            (call $pin (local.get $run) (local.get $run_len) (local.get $step) (i32.const 300) (i32.const {reason}) (i32.const 500))
            {then}))"
    );
    let file = dir.join(format!("{name}.wasm"));
    fs::write(&file, component(&top, &handle).unwrap()).unwrap();
    file.to_str().unwrap().to_owned()
}

const GRANTS: &str = r#"{"read":["*"],"pin":["*"]}"#;
const TRIGGERS: &str = r#"{"events":["shard-committed"]}"#;
const FAILS_AT_TWO: &str = "(if (i64.eq (local.get $step) (i64.const 2)) (then unreachable))";

fn install(host: &Host, file: &str, more: &[&str]) -> Value {
    let words = ["bots", "install", file, "--name", "pins", "--grants", GRANTS, "--triggers", TRIGGERS];
    host.json(&[&words, more].concat())
}

/// Looks at the bot until it is as wanted.
fn until(host: &Host, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..6_000 {
        let bot = host.json(&["bots", "show", "pins"]);
        if wanted(&bot) {
            return bot;
        }
        thread::yield_now();
    }
    panic!("the bot is never {what}: {}", host.json(&["bots", "show", "pins"]))
}

fn pinned(host: &Host, step: usize) -> bool {
    let all = host.json(&["checkpoints", "gpt"]);
    all.as_array().unwrap().iter().find(|it| it["step"] == step).unwrap()["pinned"].as_bool().unwrap()
}

#[test]
fn an_event_that_a_bot_can_not_handle_is_parked_skipped_and_handled_by_the_next_version() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(&dir.path().join("host"));
    install(&host, &plugin(dir.path(), "bad", FAILS_AT_TWO), &[]);
    (1..=3).for_each(|step| drop(save(&host, "gpt", step, 0, 1, b"x")));
    let bot = until(&host, "in quarantine", |bot| bot["state"] == "quarantined");
    let letters = host.json(&["bots", "letters", "pins"]);
    assert_eq!((letters.as_array().unwrap().len(), &letters[0]["event"]["seq"]), (1, &bot["parked"]));
    assert!(letters[0]["fault"].as_str().unwrap().contains("unreachable"), "{letters}");
    let event = bot["parked"].to_string();
    let (code, _, err) = host.command(&["bots", "replay", "pins", &event]);
    assert!(code == 4 && err.contains("TG0040") && err.contains("skip"), "{code} {err}");

    host.json(&["bots", "skip", "pins"]);
    until(&host, "past it", |bot| bot["lag"] == 0);
    assert_eq!([1, 2, 3].map(|step| pinned(&host, step)), [true, false, true]);
    assert_eq!(host.command(&["bots", "skip", "pins"]).0, 4, "it stands at nothing");
    install(&host, &plugin(dir.path(), "good", ""), &[]);
    host.json(&["bots", "replay", "pins", &event]);
    while host.json(&["bots", "letters", "pins"]) != serde_json::json!([]) {
        thread::sleep(Duration::from_millis(20));
    }
    assert!(pinned(&host, 2));
    let (code, _, err) = host.command(&["bots", "drop", "pins", &event]);
    assert!(code == 3 && err.contains("TG0034"), "{code} {err}");
}

#[test]
fn a_version_runs_beside_another_takes_over_and_is_put_back() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(&dir.path().join("host"));
    let (first, second) = (plugin(dir.path(), "one", ""), plugin(dir.path(), "two", FAILS_AT_TWO));
    let bot = install(&host, &first, &["--mode", "shadow"]);
    assert_eq!(bot["mode"], "shadow");
    save(&host, "gpt", 1, 0, 1, b"x");
    let bot = until(&host, "done", |bot| bot["lag"] == 0);
    assert_eq!((&bot["ledger"]["shadowed"], pinned(&host, 1)), (&1.into(), false));
    let told = host.command(&["bots", "decisions", "pins"]).1;
    assert!(told.contains("pin gpt step 1") && told.contains(": why one"), "{told}");
    let refused = host.command(&["bots", "install", &first, "--name", "pins", "--mode", "canary:101"]);
    assert_eq!(refused.0, 2, "{refused:?}");

    install(&host, &first, &[]);
    install(&host, &second, &["--beside"]);
    save(&host, "gpt", 3, 0, 1, b"x");
    let bot = until(&host, "compared", |bot| bot["lag"] == 0);
    assert_eq!((&bot["candidate"]["same"], &bot["candidate"]["different"]), (&1.into(), &0.into()), "{bot}");
    let promoted = host.json(&["bots", "promote", "pins"]);
    assert_eq!((&promoted["candidate"], &promoted["previous"]["events_left"]), (&Value::Null, &100.into()));
    save(&host, "gpt", 2, 0, 1, b"x");
    let back = until(&host, "put back", |bot| bot["plugin"] != promoted["plugin"]);
    assert_eq!((&back["plugin"], &back["state"]), (&bot["plugin"], &"running".into()));
    until(&host, "done again", |bot| bot["lag"] == 0);
    assert!(pinned(&host, 2), "what the other one failed on is handled by this one");
    let (code, _, err) = host.command(&["bots", "rollback", "pins"]);
    assert!(code == 4 && err.contains("TG0036"), "{err}");
}

#[test]
fn a_version_that_failed_beside_another_is_told_of_and_promoted_only_by_force() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(&dir.path().join("host"));
    install(&host, &plugin(dir.path(), "one", ""), &[]);
    save(&host, "gpt", 1, 0, 1, b"x");
    until(&host, "done", |bot| bot["lag"] == 0);
    install(&host, &plugin(dir.path(), "two", FAILS_AT_TWO), &["--beside"]);
    save(&host, "gpt", 2, 0, 1, b"x");
    let bot = until(&host, "compared", |bot| bot["lag"] == 0);
    let candidate = &bot["candidate"];
    assert_eq!((&candidate["failed"], &candidate["different"]), (&1.into(), &0.into()), "{bot}");
    let last = candidate["last_failure"].as_str().unwrap();
    for words in [["bots", "show", "pins"], ["bots", "decisions", "pins"]] {
        let told = host.command(&words).1;
        assert!(told.contains("0 not, 1 failed on") && told.contains(&format!("its last failure: {last}")), "{told}");
    }
    let (code, _, err) = host.command(&["bots", "promote", "pins"]);
    assert!(code == 4 && err.contains("TG0038") && err.contains("--force") && err.contains("1 of 1 events"), "{err}");
    let (code, out, err) = host.command(&["bots", "promote", "pins", "--force"]);
    assert_eq!(code, 0, "{err}");
    let component = candidate["plugin"].as_str().unwrap();
    let warning = format!("warning: it failed on 1 of 1 events, at last on {last}");
    assert_eq!(out.trim_end(), format!("bot pins runs component {component}\n{warning}"));
}

#[test]
fn what_a_plugin_would_have_decided_is_told_and_nothing_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(&dir.path().join("host"));
    (1..=3).for_each(|step| drop(save(&host, "gpt", step, 0, 1, b"x")));
    let file = plugin(dir.path(), "late", FAILS_AT_TWO);
    let words = ["plugin", "run", &file, "--dry-run", "--grants", GRANTS, "--triggers", TRIGGERS];
    let trial = host.json(&words);
    let faults: Vec<bool> = trial["decisions"].as_array().unwrap().iter().map(|it| it["fault"].is_string()).collect();
    assert_eq!((faults, &trial["end"]), (vec![false, true, false], &true.into()), "{trial}");
    assert!(!pinned(&host, 1) && host.json(&["bots"]) == serde_json::json!([]));
    let told = host.command(&words).1;
    assert!(told.contains("pin gpt step 1") && told.contains("3 events would have woken it"), "{told}");
    assert_eq!(host.command(&["plugin", "run", &file]).0, 2, "it does nothing but dry runs");
}

#[test]
fn what_a_host_has_recorded_is_enough_to_say_what_a_plugin_would_have_decided() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(&dir.path().join("host"));
    (1..=3).for_each(|step| drop(save(&host, "gpt", step, 0, 1, b"x")));
    host.json(&["pin", "gpt", "3", "--reason", "paper"]);
    // Waits for digests, without which the guard answers otherwise.
    let sealed = |host: &Host| host.command(&["--json", "events"]).1.matches("checkpoint-sealed").count() == 3;
    while !sealed(&host) {
        thread::sleep(Duration::from_millis(20));
    }
    let file = plugin(dir.path(), "late", FAILS_AT_TWO);
    let words = ["plugin", "run", &file, "--dry-run", "--grants", GRANTS, "--triggers", TRIGGERS];
    let (live, told) = (host.json(&words), host.command(&words).1);
    assert_eq!(live["decisions"].as_array().unwrap().len(), 3, "{live}");
    let events = dir.path().join("events.jsonl");
    fs::write(&events, host.command(&["--json", "events"]).1).unwrap();
    drop(host);

    let words = [&words[..], &["--events", events.to_str().unwrap()]].concat();
    let (code, out, err) = output(&mut tidegate(&[&["--json"], &words[..]].concat()));
    assert_eq!(code, 0, "{err}");
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), live);
    assert_eq!(output(&mut tidegate(&words)), (0, told, String::new()));

    let (code, _, err) = output(&mut tidegate(&[&words[..], &["--limit", "0"]].concat()));
    assert!(code == 2 && err.contains("1 to 1000"), "{code} {err}");
    fs::write(&events, "{}\n").unwrap();
    let (code, _, err) = output(&mut tidegate(&words));
    assert!(code == 2 && err.contains("line 1: missing field `seq`"), "{code} {err}");
    let (code, _, err) = output(&mut tidegate(&["plugin", "run", &file, "--dry-run", "--events", "/dev/zero"]));
    assert!(code == 2 && err.contains("line 1: it has more than"), "{code} {err}");
}

#[test]
fn a_plugin_is_held_to_budgets_without_a_host() {
    let dir = tempfile::tempdir().unwrap();
    let file = plugin(
        dir.path(),
        "slow",
        "(local.set $settings (i32.const 0)) (loop $l (local.set $settings
        (i32.add (local.get $settings) (i32.const 1))) (br_if $l (i32.lt_u (local.get $settings) (i32.const 1000))))",
    );
    let bench =
        |more: &[&str]| output(&mut tidegate(&[&["--json", "plugin", "bench", &file, "--rounds", "3"], more].concat()));
    let (code, out, err) = bench(&[]);
    assert_eq!(code, 0, "{err}");
    let costs: Value = serde_json::from_str(&out).unwrap();
    let fuel = |kind: &str| {
        let cost = costs.as_array().unwrap().iter().find(|it| it["kind"] == kind);
        cost.unwrap()["fuel"].as_u64().unwrap()
    };
    assert!(fuel("shard-committed") > 5_000 && fuel("checkpoint-pruned") < 1_000, "{costs}");
    assert_eq!(bench(&["--max-fuel", "100000"]).0, 0);
    let (code, out, _) = bench(&["--max-fuel", "5000"]);
    assert!(code != 0 && out.contains("at most 5000"), "{code} {out}");
}

#[test]
fn a_file_without_end_is_not_read_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(&dir.path().join("host"));
    let (code, _, err) = host.command(&["bots", "install", "/dev/zero", "--name", "b"]);
    assert!(code == 2 && err.contains("67108864 bytes"), "{code} {err}");
    let (code, _, err) = host.command(&["bots", "install", "/dev/null", "--name", "b", "--settings", "@/dev/zero"]);
    assert!(code == 2 && err.contains("1048576 bytes"), "{code} {err}");
    let (code, _, err) = output(&mut tidegate(&["plugin", "bench", "/dev/zero"]));
    assert!(code == 2 && err.contains("67108864 bytes"), "{code} {err}");
}

#[test]
fn a_version_that_was_put_back_is_not_brought_back_by_a_restart_but_another_is() {
    let dir = tempfile::tempdir().unwrap();
    let (root, plugins) = (dir.path().join("host"), dir.path().join("plugins"));
    fs::create_dir(&plugins).unwrap();
    let file = plugins.join("replicate.wasm");
    // `dev` names the bots `replicate` and `prune`; what they run is what lies there.
    let lay = |handle: &str| {
        for (file, handle) in [(&plugins.join("prune.wasm"), ""), (&file, handle)] {
            fs::write(file, component("", handle).unwrap()).unwrap();
        }
    };
    let start = || Host::start_with(&root, &["--listen", "127.0.0.1:0", "--plugins", plugins.to_str().unwrap()]);
    let show = |host: &Host| host.json(&["bots", "show", "replicate"]);
    // On a complete checkpoint.
    let fails = "(if (i32.eq (local.get $what) (i32.const 2)) (then unreachable))";
    lay("");
    let host = start();
    let good = show(&host)["plugin"].clone();
    drop(host);
    lay(fails);
    let host = start();
    let bad = show(&host)["plugin"].clone();
    assert_ne!(good, bad);
    save(&host, "gpt", 2, 0, 1, b"x");
    while show(&host)["plugin"] != good {
        thread::sleep(Duration::from_millis(20));
    }
    drop(host);

    let host = start();
    let notes = host.ready["notes"].to_string();
    assert!(notes.contains("bot replicate stays with component") && notes.contains("unreachable"), "{notes}");
    assert!(host.ready["bots"].to_string().contains("replicate"), "it is there: {}", host.ready);
    let bot = show(&host);
    assert_eq!(
        (&bot["plugin"], &bot["rolled_back"]["plugin"], &bot["state"]),
        (&good, &bad, &"running".into()),
        "{bot}"
    );
    let told = host.command(&["bots", "show", "replicate"]).1;
    assert!(told.contains("a start of the host does not install it again"), "{told}");
    // The operator has another try.
    let [grants, triggers, settings] = ["grants", "triggers", "settings"].map(|field| bot[field].to_string());
    let words = ["bots", "install", file.to_str().unwrap(), "--name", "replicate", "--grants", &grants];
    let bot = host.json(&[&words[..], &["--triggers", &triggers, "--settings", &settings]].concat());
    assert_eq!((&bot["plugin"], &bot["state"], &bot["rolled_back"]), (&bad, &"running".into(), &Value::Null), "{bot}");
    drop(host);

    lay("(nop)");
    let host = start();
    assert_eq!(host.ready["notes"], serde_json::json!([]));
    let other = show(&host)["plugin"].clone();
    assert!(other != good && other != bad, "{other}");
}

#[test]
fn a_replay_for_a_bot_in_quarantine_says_that_it_waits_for_the_resume() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(&dir.path().join("host"));
    let fails = "(if (i64.ge_u (local.get $step) (i64.const 2)) (then unreachable))";
    install(&host, &plugin(dir.path(), "one", fails), &["--probation", "0"]);
    save(&host, "gpt", 2, 0, 1, b"x");
    let event = until(&host, "in quarantine", |bot| bot["state"] == "quarantined")["parked"].to_string();
    host.json(&["bots", "skip", "pins"]);
    save(&host, "gpt", 3, 0, 1, b"x");
    until(&host, "in quarantine again", |bot| bot["state"] == "quarantined");
    let (code, said, err) = host.command(&["bots", "replay", "pins", &event]);
    assert_eq!(code, 0, "{err}");
    assert!(said.contains("bot pins is quarantined") && said.contains("tidegate bots resume pins"), "{said}");
    assert_eq!(host.json(&["bots", "replay", "pins", &event])["bot_state"], "quarantined");
}

#[test]
fn a_pin_of_a_removed_bot_is_named_and_lifted() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(&dir.path().join("host"));
    install(&host, &plugin(dir.path(), "one", ""), &[]);
    save(&host, "gpt", 1, 0, 1, b"x");
    until(&host, "at the end", |bot| bot["ledger"]["effects"]["pin"]["count"] == 1);
    host.json(&["bots", "remove", "pins"]);
    for args in [&["unpin", "gpt", "1"][..], &["unpin", "gpt", "1", "--by", "nobody"]] {
        let (code, _, err) = host.command(args);
        assert_eq!(code, 4, "{err}");
        assert!(err.contains("TG0041") && err.contains("pinned by pins") && err.contains("--by pins"), "{err}");
    }
    assert_eq!(host.command(&["unpin", "gpt", "1", "--by", "a b"]).0, 2);
    assert_eq!(host.json(&["unpin", "gpt", "1", "--by", "pins"])["pinned"], false);
    host.ask("DELETE", "/v1/runs/gpt/checkpoints/1/pin", r#"{"by":"a b"}"#).assert_problem(400, "TG0003", "a b");
}
