//! What is given on the command line: files that can't be read, names that can't be one, values of any length.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{Host, output, tidegate};

#[test]
fn a_file_that_can_not_be_read_ends_every_command_alike() {
    let dir = tempfile::tempdir().unwrap();
    let directory = dir.path().to_str().unwrap();
    let settings =
        |option: &'static str| ["bots", "install", "/nonexistent/x", "--name", "x", option, "@/nonexistent/x"];
    for args in [
        &["run", "--config", "/nonexistent/x"][..],
        &["plugin", "inspect", "/nonexistent/x"],
        &["plugin", "inspect", directory],
        &["plugin", "inspect", "/dev/zero"],
        &["plugin", "bench", "/nonexistent/x"],
        &["plugin", "bench", "/nonexistent/x", "--settings", "@/nonexistent/x"],
        &["plugin", "run", "/nonexistent/x", "--dry-run"],
        &["plugin", "run", "/nonexistent/x", "--dry-run", "--events", "/nonexistent/x"],
        &["plugin", "run", "/nonexistent/x", "--dry-run", "--events", directory],
        &["plugin", "describe", "/nonexistent/x", "--manifest", "{}"],
        &["plugin", "build", "/nonexistent/x"],
        &["plugin", "test", "/nonexistent/x"],
        &["plugin", "new", "x", "--sdk", "/nonexistent/x"],
        &["bots", "install", "/nonexistent/x", "--name", "x"],
        &settings("--settings"),
        &settings("--grants"),
        &settings("--triggers"),
    ] {
        let (code, out, err) = output(tidegate(args).args(["--json"]));
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}: {err}");
        let error: serde_json::Value = serde_json::from_str(&err).unwrap_or_else(|e| panic!("{args:?}: {e}: {err}"));
        assert!(error["error"]["message"].is_string(), "{args:?}: {err}");
    }
}

#[test]
fn a_name_that_can_not_be_one_is_told_alike_by_command_line_and_host() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path());
    let long = "x".repeat(100_000);
    for (name, part) in [("", ""), ("../x", "..%2Fx"), ("a b", "a%20b"), (long.as_str(), &long[..10_000])] {
        for args in [
            &["bots", "show", name][..],
            &["bots", "remove", name],
            &["bots", "letters", name],
            &["bots", "replay", name, "1"],
            &["bots", "install", "/nonexistent/x", "--name", name],
            &["plugin", "run", "/nonexistent/x", "--dry-run", "--name", name],
            &["checkpoints", name],
            &["pin", name, "1"],
            &["prune", name, "1", "--tier", "nvme"],
            &["restore", name, "--to", "/nonexistent/x"],
        ] {
            let (code, _, err) = host.command(&[&["--json"], args].concat());
            let error = serde_json::from_str::<serde_json::Value>(&err).unwrap()["error"].clone();
            assert_eq!((code, error["code"].as_str()), (2, Some("TG0003")), "{args:.60?}: {err:.300}");
            let message = error["message"].as_str().unwrap();
            assert!(
                message.contains("name \"") && message.contains("use 1 to 128") && message.len() < 400,
                "{message}"
            );
        }
        for (method, target) in [
            ("GET", format!("/v1/bots/{part}")),
            ("DELETE", format!("/v1/bots/{part}")),
            ("POST", format!("/v1/bots/{part}/resume")),
            ("GET", format!("/v1/runs/{part}/checkpoints")),
        ] {
            let answer = host.ask(method, &target, "");
            answer.assert_problem(400, "TG0003", &format!("{method} {target:.80}"));
        }
    }
}

#[test]
fn no_answer_repeats_a_value_whole() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path());
    let (long, digest) = ("x".repeat(100_000), "0".repeat(64));
    let spec = |rest: &str| format!(r#"{{"plugin":"{digest}",{rest}}}"#);
    for body in [
        spec(&format!(r#""grants":{{"read":"{long}"}}"#)),
        spec(&format!(r#""grants":{{"read":["{long}"]}}"#)),
        spec(&format!(r#""grants":{{"{long}":1}}"#)),
        spec(&format!(r#""grants":{{"targets":["{long}"]}}"#)),
        spec(&format!(r#""grants":{{"tiers":["{long}"]}}"#)),
        spec(&format!(r#""grants":"{long}""#)),
        spec(&format!(r#""triggers":{{"events":["{long}"]}}"#)),
        spec(&format!(r#""triggers":{{"runs":["{long}"]}}"#)),
        spec(&format!(r#""mode":"{long}""#)),
        spec(&format!(r#""{long}":1"#)),
        spec(&format!(r#""probation":"{long}""#)),
        format!(r#"{{"plugin":"{long}"}}"#),
    ] {
        let answer = host.ask("PUT", "/v1/bots/bot", &body);
        answer.assert_problem(400, "TG0002", &format!("{:.120}", body.replace(&long, "LONG")));
    }
    let long = &long[..10_000];
    for target in [format!("/v1/runs?{long}=1"), format!("/v1/runs?limit={long}"), format!("/v1/runs?page={long}")] {
        host.ask("GET", &target, "").assert_problem(400, "TG0002", &format!("{target:.40}"));
    }
    host.ask("GET", &format!("/v1/{long}"), "").assert_problem(404, "TG0004", "a long path");
    let into = format!(r#"{{"run":"gpt","step":1,"into":"/{long}"}}"#);
    assert!(host.ask("POST", "/v1/restores", &into).json()["detail"].as_str().unwrap().len() < 400);
}

#[test]
fn the_copies_that_a_recorded_host_wanted_are_one_or_two() {
    let run = |copies| {
        let words = ["plugin", "run", "/nonexistent/x", "--dry-run", "--events", "/dev/null", "--copies", copies];
        output(&mut tidegate(&words))
    };
    for copies in ["0", "3", "9", "+1"] {
        let (code, _, err) = run(copies);
        assert!(code == 2 && err.contains("is not a whole number from 1 to 2"), "{copies}: {code} {err}");
    }
    for copies in ["1", "2"] {
        assert!(run(copies).2.contains("can't read /nonexistent/x"), "{copies}: it comes to the component");
    }
}
