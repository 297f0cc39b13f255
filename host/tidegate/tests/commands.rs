//! The command line against a host: save, look, pin, prune, restore.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod common;

use std::{fs, path::Path};

use common::{Host, output, save, tidegate};

#[test]
fn a_checkpoint_is_saved_shown_pinned_and_restored() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(&dir.path().join("host"));
    assert_eq!(save(&host, "gpt", 10, 0, 2, b"zero")["complete"], false);
    let (code, _, err) = host.command(&["restore", "gpt", "--step", "10", "--to", "/tmp/never"]);
    assert_eq!(code, 4, "an incomplete checkpoint is not restored: {err}");
    assert_eq!(save(&host, "gpt", 10, 1, 2, b"one")["complete"], true);
    save(&host, "gpt", 20, 0, 2, b"later");

    let status = host.json(&["status"]);
    assert_eq!(status["runs"][0]["latest_complete"], 10);
    let checkpoints = host.json(&["checkpoints", "gpt"]);
    let steps: Vec<_> = checkpoints.as_array().unwrap().iter().map(|it| it["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, [20, 10]);
    assert_eq!(checkpoints[1]["metrics"]["loss"], 2.5);

    assert_eq!(host.json(&["pin", "gpt", "10", "--reason", "good"])["pins"][0]["reason"], "good");
    let (code, _, err) = host.command(&["prune", "gpt", "10", "--tier", "nvme", "--dry-run"]);
    assert_eq!(code, 4, "{err}");
    assert!(err.contains("TG0023"), "{err}");
    assert_eq!(host.json(&["unpin", "gpt", "10"])["pinned"], false);

    let to = dir.path().join("back");
    let restored = host.json(&["restore", "gpt", "--to", to.to_str().unwrap()]);
    assert_eq!(restored["step"], 10);
    assert_eq!(fs::read(to.join("rank-00000/weights.bin")).unwrap(), b"zero");
    assert_eq!(fs::read(to.join("rank-00001/weights.bin")).unwrap(), b"one");
    let (code, _, _) = host.command(&["restore", "gpt", "--to", to.to_str().unwrap()]);
    assert_eq!(code, 4, "a directory that exists is not touched");
    let one = dir.path().join("one");
    host.json(&["restore", "gpt", "--step", "10", "--ranks", "1", "--to", one.to_str().unwrap()]);
    assert!(one.join("rank-00001").exists() && !one.join("rank-00000").exists());
}

#[test]
fn a_step_never_changes_its_bytes_and_the_same_bytes_are_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path());
    save(&host, "gpt", 1, 0, 1, b"first");
    assert_eq!(save(&host, "gpt", 1, 0, 1, b"first")["reused"], true);
    let again = host.ask("POST", "/v1/saves", r#"{"run":"gpt","step":1,"rank":0,"world_size":1}"#).json();
    fs::write(Path::new(again["path"].as_str().unwrap()).join("weights.bin"), b"other").unwrap();
    let target = format!("/v1/saves/{}/commit", again["save_id"].as_str().unwrap());
    host.ask("POST", &target, "").assert_problem(409, "TG0008", "other bytes");
}

#[test]
fn what_transfers_may_use_is_changed_while_the_host_runs() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path());
    assert!(host.json(&["limits"])["upload_rate"].is_null());
    assert_eq!(host.json(&["limits", "--upload", "50M", "--requests", "100"])["upload_rate"], 50_000_000);
    let lifted = host.json(&["limits", "--upload", "none"]);
    assert!(lifted["upload_rate"].is_null() && lifted["requests"] == 100, "{lifted}");
    for (asked, says) in [("{\"upload_rate\":16383}", "upload_rate"), ("{\"requests\":0}", "requests")] {
        host.ask("PUT", "/v1/target/limits", asked).assert_problem(400, "TG0003", says);
    }
    assert_eq!(host.json(&["limits"])["requests"], 100);
    assert_eq!(save(&host, "gpt", 1, 0, 1, b"bytes")["complete"], true);
}

#[test]
fn checkpoints_come_in_pages() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path());
    for step in 1..=5 {
        save(&host, "gpt", step, 0, 1, b"x");
    }
    let (mut steps, mut target) = (Vec::new(), "/v1/runs/gpt/checkpoints?limit=2".to_owned());
    loop {
        let page = host.ask("GET", &target, "").json();
        steps.extend(page["items"].as_array().unwrap().iter().map(|it| it["step"].as_u64().unwrap()));
        let Some(next) = page["next"].as_str() else { break };
        target = format!("/v1/runs/gpt/checkpoints?limit=2&page={next}");
        let foreign = format!("/v1/runs/bert/checkpoints?page={next}");
        assert_eq!(host.ask("GET", &foreign, "").status, 400, "a token of another listing");
    }
    assert_eq!(steps, [5, 4, 3, 2, 1]);
    assert_eq!(host.json(&["checkpoints", "gpt", "--limit", "3"]).as_array().unwrap().len(), 3);
    assert_eq!(host.json(&["checkpoints", "gpt", "--all"]).as_array().unwrap().len(), 5);
}

#[test]
fn events_are_one_json_value_a_line_and_can_be_continued() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path());
    save(&host, "gpt", 1, 0, 1, b"x");
    let (code, out, _) = host.command(&["--json", "events"]);
    assert_eq!(code, 0);
    let events: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let places: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(places.iter().enumerate().all(|(nth, seq)| *seq == nth as u64 + 1), "{places:?}");
    assert_eq!(events[0]["kind"], "shard-committed");
    let (_, rest, _) = host.command(&["--json", "events", "--after", "1"]);
    // The host goes on meanwhile: there may be more now.
    assert!(rest.starts_with(out.split_once('\n').unwrap().1), "{rest}");
}

#[test]
fn scripts_can_tell_what_went_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path());
    for (args, code) in [
        (&["checkpoints", "nope"][..], 3),
        (&["jobs", "show", "nope"], 3),
        (&["bots", "show", "nope"], 3),
        (&["restore", "nope", "--step", "soon", "--to", "x"], 2),
        (&["restore", "nope", "--to", "x"], 3),
        (&["checkpoints", "../nope"], 2),
        (&["frobnicate"], 2),
        (&["status"], 0),
        (&["jobs"], 0),
        (&["bots"], 0),
    ] {
        assert_eq!(host.command(args).0, code, "{args:?}");
    }
    let (code, _, err) = output(&mut tidegate(&["--json", "--socket", "/nonexistent/s", "status"]));
    assert_eq!(code, 5);
    assert!(serde_json::from_str::<serde_json::Value>(&err).unwrap()["error"]["hint"].is_string(), "{err}");
}

#[test]
fn with_json_wrong_usage_is_json_too() {
    for args in [&["--json", "frobnicate"][..], &["status", "--json", "--colour"], &["pin", "gpt", "soon", "--json"]] {
        let (code, out, err) = output(&mut tidegate(args));
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}: {err}");
        let error: serde_json::Value = serde_json::from_str(&err).unwrap_or_else(|e| panic!("{args:?}: {e}: {err}"));
        assert!(error["error"]["message"].is_string() && error["error"]["hint"].is_string(), "{args:?}: {err}");
    }
    let (code, out, _) = output(&mut tidegate(&["--json", "--help"]));
    assert!(code == 0 && out.contains("Usage:"), "help is no error: {out}");
    let (code, _, err) = output(&mut tidegate(&["pin", "gpt", "--", "--json"]));
    assert!(code == 2 && err.starts_with("error:"), "a value is no option: {err}");
}

#[test]
fn the_document_is_the_same_from_the_command_and_from_the_host() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path());
    let (code, printed, _) = output(&mut tidegate(&["openapi"]));
    assert_eq!(code, 0);
    assert_eq!(host.ask("GET", "/v1/openapi.json", "").body, printed);
}
