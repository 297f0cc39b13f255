//! Components that a host keeps, looked at, tried out, described and removed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use common::{Host, output, save, tidegate};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tidegate_tests_support::guest::{self, PIN, component, with_manifest};

#[test]
fn a_component_is_kept_until_it_is_removed_and_not_while_a_bot_runs_it() {
    let dir = tempfile::tempdir().unwrap();
    let (host, file) = (Host::start(&dir.path().join("host")), dir.path().join("bot.wasm"));
    fs::write(&file, component("", "").unwrap()).unwrap();
    let file = file.to_str().unwrap();
    let kept = || host.json(&["plugin", "list"]).as_array().unwrap().len();

    // Tried out, it is gone again; also if there was something wrong with it.
    assert_eq!(host.json(&["plugin", "run", file, "--dry-run"])["end"], true);
    assert_eq!(kept(), 0);
    let wrong = r#"{"events":["no-such-kind"]}"#;
    assert_eq!(host.command(&["plugin", "run", file, "--dry-run", "--triggers", wrong]).0, 2);
    assert_eq!(kept(), 0);

    let installed = host.json(&["bots", "install", file, "--name", "bot"]);
    let digest = installed["plugin"].as_str().unwrap();
    // One that was there stays.
    host.json(&["plugin", "run", file, "--dry-run"]);
    assert_eq!(kept(), 1);
    let (code, _, err) = host.command(&["--json", "plugin", "remove", digest]);
    let error: Value = serde_json::from_str(&err).unwrap();
    assert_eq!((code, error["error"]["code"].as_str()), (4, Some("TG0039")), "{err}");
    assert!(error["error"]["message"].as_str().unwrap().contains("bot bot runs it"), "{err}");
    host.json(&["bots", "remove", "bot"]);
    host.json(&["plugin", "remove", digest]);
    assert_eq!(kept(), 0);
    assert_eq!(host.command(&["plugin", "remove", digest]).0, 3);
    assert_eq!(host.command(&["plugin", "remove", "zz"]).0, 2);
    host.ask("DELETE", "/v1/plugins/zz", "").assert_problem(404, "TG0020", "no digest");
}

#[test]
fn an_install_that_is_refused_leaves_no_component_that_was_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let (host, file) = (Host::start(&dir.path().join("host")), dir.path().join("bot.wasm"));
    fs::write(&file, component(PIN, "").unwrap()).unwrap();
    let install = |more: &[&str]| {
        let words = ["bots", "install", file.to_str().unwrap(), "--name", "bot"];
        host.command(&[&words[..], more].concat())
    };
    let kept = || host.json(&["plugin", "list"]).as_array().unwrap().len();
    let grants = ["--grants", r#"{"pin":["*"]}"#];
    let beside = [&grants[..], &["--beside"]].concat();
    for (more, told) in
        [(&[][..], "TG0033"), (&["--grants", r#"{"pin":["*"],"targets":["nowhere"]}"#], "TG0002"), (&beside, "TG0019")]
    {
        let (code, _, err) = install(more);
        assert!(code != 0 && err.contains(told), "{more:?}: {code} {err}");
        assert_eq!(kept(), 0, "{more:?}");
    }
    assert_eq!(install(&grants).0, 0);
    host.json(&["bots", "remove", "bot"]);
    assert_eq!((install(&[]).0, kept()), (4, 1), "what was there stays");
}

#[test]
fn a_component_that_says_nothing_of_itself_can_be_described() {
    let dir = tempfile::tempdir().unwrap();
    let (host, file) = (Host::start(&dir.path().join("host")), dir.path().join("bot.wasm"));
    fs::write(&file, component(PIN, "").unwrap()).unwrap();
    let file = file.to_str().unwrap();
    let install = || host.command(&["bots", "install", file, "--name", "bot"]);
    let (code, _, err) = install();
    assert!(code == 4 && err.contains("TG0033") && err.contains("`pin`"), "{err}");

    let describe =
        |manifest: &str| output(&mut tidegate(&["--json", "plugin", "describe", file, "--manifest", manifest]));
    for (manifest, said) in [
        (r#"{"name":"bot","version":"1","wants":{}}"#, "pin"),
        (r#"{"name":"bot","version":"1","wants":{"shell":{"why":"x"}}}"#, "shell"),
        (r#"{"name":"../bot","version":"1"}"#, "is not valid"),
        ("[]", "--manifest"),
    ] {
        let (code, _, err) = describe(manifest);
        assert!(code == 2 && err.contains(said), "{manifest}: {err}");
    }
    let pin = r#"{"name":"bot","version":"1","wants":{"pin":{"why":"if told to","optional":true,"runs":["gpt-*"]}}}"#;
    let (code, out, err) = describe(pin);
    assert_eq!(code, 0, "{err}");
    let about: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(about["manifest"]["worlds"][0], "tidegate:bot/policy@0.2.0");
    assert_eq!(about["imports"], json!({ "tidegate:bot/checkpoints@0.2.0": ["pin"] }));
    assert_eq!(about["manifest"]["wants"]["pin"]["runs"][0], "gpt-*");
    let told = output(&mut tidegate(&["plugin", "inspect", file])).1;
    assert!(told.contains("can use  pin: if told to\n") && told.contains("for runs `gpt-*`\n"), "{told}");
    assert_eq!(install().0, 0, "what is optional need not be granted");
    let (code, _, err) = describe(pin);
    assert!(code == 2 && err.contains("has a manifest already"), "{err}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left beside it");
}

#[test]
fn a_link_to_a_component_stays_a_link_when_it_is_described() {
    let dir = tempfile::tempdir().unwrap();
    let (file, link) = (dir.path().join("real.wasm"), dir.path().join("link.wasm"));
    fs::write(&file, component("", "").unwrap()).unwrap();
    std::os::unix::fs::symlink("real.wasm", &link).unwrap();
    let describe = |path: &Path| {
        let manifest = r#"{"name":"bot","version":"1"}"#;
        output(&mut tidegate(&["plugin", "describe", path.to_str().unwrap(), "--manifest", manifest]))
    };
    assert_eq!(describe(&link).0, 0);
    assert!(link.is_symlink() && fs::read_dir(dir.path()).unwrap().count() == 2);
    let (code, _, err) = describe(&file);
    assert!(code == 2 && err.contains("has a manifest already"), "{code} {err}");
}

#[test]
fn a_bot_that_no_event_can_wake_is_installed_with_a_note() {
    let dir = tempfile::tempdir().unwrap();
    let (host, file) = (Host::start(&dir.path().join("host")), dir.path().join("bot.wasm"));
    fs::write(&file, component("", "").unwrap()).unwrap();
    let install = |more: &[&str]| {
        let words = ["bots", "install", file.to_str().unwrap(), "--name", "bot"];
        let (code, _, err) = host.command(&[&words[..], more].concat());
        assert_eq!(code, 0, "{more:?}: {err}");
        err
    };
    let triggers = ["--triggers", r#"{"events":["shard-committed"]}"#];
    let read = ["--grants", r#"{"read":["*"]}"#];
    assert!(install(&triggers).contains("note: bot bot may read no run"));
    for quiet in [&[][..], &read, &[&triggers[..], &read].concat()] {
        assert_eq!(install(quiet), "", "{quiet:?}");
    }
}

#[test]
fn what_a_component_is_stands_apart_from_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let (host, file) = (Host::start(&dir.path().join("host")), dir.path().join("bot.wasm"));
    let path = file.to_str().unwrap();
    let old =
        guest::component_for(&guest::wit().join("v0.1"), &guest::module(&PIN.replace("0.2.0", "0.1.0"), "")).unwrap();
    let says = |worlds: &[&str]| {
        let wants = json!({ "pin": { "why": "if told to", "optional": true } });
        let manifest = json!({ "manifest": 1, "name": "bot", "version": "1", "worlds": worlds, "wants": wants });
        fs::write(&file, with_manifest(old.clone(), manifest).unwrap()).unwrap();
    };
    let (of_old, of_now) = ("tidegate:bot/policy@0.1.0", "tidegate:bot/policy@0.2.0");
    says(&[of_now]);
    let (code, _, err) = host.command(&["bots", "install", path, "--name", "bot"]);
    assert!(code == 2 || code == 4, "{code}: {err}");
    assert!(err.contains("TG0021") && err.contains(of_now) && err.contains(of_old), "{err}");
    let inspect = |json: &[&str]| output(&mut tidegate(&[json, &["plugin", "inspect", path]].concat()));
    assert!(inspect(&[]).0 == 2 && inspect(&[]).2.contains(of_old), "refused as a host would");

    says(&[of_now, of_old]);
    assert_eq!(host.command(&["bots", "install", path, "--name", "bot"]).0, 0);
    let about: Value = serde_json::from_str(&inspect(&["--json"]).1).unwrap();
    assert_eq!((&about["world"], &about["manifest"]["worlds"]), (&json!(of_old), &json!([of_now, of_old])));
    assert_eq!(
        (&about["migrates"], &about["imports"]),
        (&json!(false), &json!({ "tidegate:bot/checkpoints@0.1.0": ["pin"] }))
    );
    let text = inspect(&[]).1;
    let (is, says) = text.split_once("\nits manifest says:\n").unwrap();
    assert!(
        is.contains(&format!("world    {of_old}\nimports  tidegate:bot/checkpoints@0.1.0: pin\nuses     pin\n")),
        "{text}"
    );
    assert_eq!(says, format!("worlds   {of_now}, {of_old}\ncan use  pin: if told to\n"));

    // Described without a word on its world, it is of its own.
    fs::write(&file, &old).unwrap();
    let (code, out, err) = output(&mut tidegate(&[
        "--json",
        "plugin",
        "describe",
        path,
        "--manifest",
        r#"{"name":"bot","version":"1","wants":{"pin":{"why":"x"}}}"#,
    ]));
    assert_eq!(code, 0, "{err}");
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["manifest"]["worlds"], json!([of_old]));
}

#[test]
fn an_operator_sets_how_long_a_bot_may_work_and_whether_its_fuel_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("host");
    let words =
        ["--json", "dev", "--dir", root.to_str().unwrap(), "--listen", "127.0.0.1:0", "--plugins", "/nonexistent"];
    let mut start = tidegate(&words);
    let host = Host::start_by(start.env("TIDEGATE_BOTS__FUEL", "0").env("TIDEGATE_BOTS__DEADLINE_MS", "50"));
    let file = dir.path().join("loops.wasm");
    let handle = "(if (i32.eq (local.get $what) (i32.const 1)) (then (loop $l (br $l))))";
    fs::write(&file, component("", handle).unwrap()).unwrap();
    let triggers = r#"{"events":["shard-committed"]}"#;
    let grants = r#"{"read":["*"]}"#;
    let install =
        ["bots", "install", file.to_str().unwrap(), "--name", "bot", "--triggers", triggers, "--grants", grants];
    host.json(&install);
    save(&host, "gpt", 1, 0, 1, b"x");
    let bot = loop {
        let bot = host.json(&["bots", "show", "bot"]);
        if bot["faults"] != 0 {
            break bot;
        }
        thread::sleep(Duration::from_millis(20));
    };
    assert!(bot["last_fault"].as_str().unwrap().contains("ran longer than 50ms"), "{bot}");
    assert_eq!(bot["ledger"]["fuel"], 0, "{bot}");

    let (code, _, err) = output(tidegate(&words).env("TIDEGATE_BOTS__MEMORY_BYTES", "1"));
    assert!(code == 2 && err.contains("bots.memory_bytes is 4194304 to"), "{code} {err}");
}

/// A component that loops on each shard, written beside the host.
fn looping(dir: &Path) -> PathBuf {
    let file = dir.join("loops.wasm");
    let handle = "(if (i32.eq (local.get $what) (i32.const 1)) (then (loop $l (br $l))))";
    fs::write(&file, component("", handle).unwrap()).unwrap();
    file
}

/// A dry run of it.
fn dry_run(file: &Path) -> Command {
    let grants = ["--grants", r#"{"read":["*"]}"#, "--triggers", r#"{"events":["shard-committed"]}"#];
    let mut command = tidegate(&[&["plugin", "run", file.to_str().unwrap(), "--dry-run"], &grants[..]].concat());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn a_dry_run_that_is_interrupted_takes_its_component_back() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("host");
    let words =
        ["--json", "dev", "--dir", root.to_str().unwrap(), "--listen", "127.0.0.1:0", "--plugins", "/nonexistent"];
    let mut start = tidegate(&words);
    let host = Host::start_by(start.env("TIDEGATE_BOTS__FUEL", "0").env("TIDEGATE_BOTS__DEADLINE_MS", "1000"));
    (1..=20).for_each(|step| drop(save(&host, "gpt", step, 0, 1, b"x")));
    let file = looping(dir.path());
    let mut running = dry_run(&file).env("TIDEGATE_SOCKET", host.socket()).spawn().unwrap();
    let kept = || host.json(&["plugin", "list"]).as_array().unwrap().len();
    while kept() == 0 {
        assert_eq!(running.try_wait().unwrap(), None, "it has ended");
    }
    kill_process(Pid::from_child(&running), Signal::INT).unwrap();
    assert_eq!((running.wait().unwrap().code(), kept()), (Some(130), 0));
    // It goes on for the host, which ends it when it is told to stop.
    host.signal(Signal::TERM);
    assert_eq!(host.wait().code(), Some(0));
}

#[test]
fn a_dry_run_without_a_host_that_is_interrupted_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (file, events, room) = (looping(dir.path()), dir.path().join("events"), dir.path().join("room"));
    fs::create_dir(&room).unwrap();
    let line = |seq| {
        json!({ "seq": seq, "time": "2026-11-16T00:00:00Z", "host": "h", "kind": "shard-committed", "run": "gpt",
            "step": seq, "rank": 0, "world_size": 1, "bytes": 1, "files": 1 })
    };
    fs::write(&events, (1..=500).map(|seq| format!("{}\n", line(seq))).collect::<String>()).unwrap();
    for signal in [Signal::INT, Signal::TERM] {
        let mut command = dry_run(&file);
        let mut running = command.args(["--events", events.to_str().unwrap()]).env("TMPDIR", &room).spawn().unwrap();
        let left = || fs::read_dir(&room).unwrap().count();
        while left() == 0 {
            assert_eq!(running.try_wait().unwrap(), None, "it has ended");
            thread::sleep(Duration::from_millis(20));
        }
        kill_process(Pid::from_child(&running), signal).unwrap();
        assert_eq!((running.wait().unwrap().code(), left()), (Some(130), 0));
    }
}
