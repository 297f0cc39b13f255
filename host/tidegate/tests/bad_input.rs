//! Bad input gets a clear error, and leaves nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod common;

use std::fs;

use common::{Host, request};

fn begin(run: &str, rest: &str) -> String {
    format!(r#"{{"run":{run:?},"step":1,"rank":0,"world_size":1{rest}}}"#)
}

#[test]
fn every_bad_request_is_a_problem_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path());
    let long = "x".repeat(300);
    let reason = |text: &str| format!(r#"{{"reason":{text:?}}}"#);
    let digest = "0".repeat(64);
    let spec = |rest: &str| format!(r#"{{"plugin":"{digest}"{rest}}}"#);
    #[rustfmt::skip]
    let table: Vec<(&str, &str, String, u16, &str)> = vec![
        // Bodies that are not what is asked for.
        ("POST", "/v1/saves", String::new(), 400, "TG0002"),
        ("POST", "/v1/saves", "{".into(), 400, "TG0002"),
        ("POST", "/v1/saves", "[1,2]".into(), 400, "TG0002"),
        ("POST", "/v1/saves", "\u{0}".into(), 400, "TG0002"),
        ("POST", "/v1/saves", begin("gpt", r#","colour":1"#), 400, "TG0002"),
        ("POST", "/v1/saves", begin("gpt", r#","bytes":-1"#), 400, "TG0002"),
        ("POST", "/v1/saves", begin("gpt", r#","bytes":1.5"#), 400, "TG0002"),
        ("POST", "/v1/saves", "[".repeat(100_000), 400, "TG0002"),
        // Names that climb, numbers out of all bounds.
        ("POST", "/v1/saves", begin("../../etc", ""), 400, "TG0003"),
        ("POST", "/v1/saves", begin("/etc/passwd", ""), 400, "TG0003"),
        ("POST", "/v1/saves", begin("..", ""), 400, "TG0003"),
        ("POST", "/v1/saves", begin("a\u{0}b", ""), 400, "TG0002"),
        ("POST", "/v1/saves", begin("", ""), 400, "TG0003"),
        ("POST", "/v1/saves", begin(&long, ""), 400, "TG0003"),
        ("POST", "/v1/saves", begin("gpt", r#","bytes":18446744073709551615"#), 400, "TG0003"),
        ("POST", "/v1/saves", begin("gpt", r#","bytes":17000000000000"#), 507, "TG0010"),
        ("POST", "/v1/saves", begin("gpt", "").replace(r#""step":1"#, r#""step":99999999999999999"#), 400, "TG0003"),
        ("POST", "/v1/saves", begin("gpt", "").replace(r#""rank":0"#, r#""rank":1"#), 400, "TG0003"),
        ("POST", "/v1/saves", begin("gpt", "").replace(r#""rank":0"#, r#""rank":4294967295"#), 400, "TG0003"),
        ("POST", "/v1/saves", begin("gpt", "").replace(r#""world_size":1"#, r#""world_size":0"#), 400, "TG0003"),
        // Saves that are not there.
        ("POST", "/v1/saves/nope/commit", String::new(), 404, "TG0007"),
        ("POST", "/v1/saves/..%2F..%2Fetc/commit", String::new(), 400, "TG0003"),
        ("POST", "/v1/saves/nope/commit", r#"{"metrics":{"loss":"low"}}"#.into(), 400, "TG0002"),
        ("POST", "/v1/saves/nope/commit", r#"{"metrics":{"loss":1e999}}"#.into(), 400, "TG0002"),
        ("POST", "/v1/saves/nope/touch", String::new(), 404, "TG0007"),
        ("DELETE", "/v1/saves/nope", String::new(), 404, "TG0007"),
        // Runs and checkpoints that are not there.
        ("GET", "/v1/runs/nope", String::new(), 404, "TG0005"),
        ("GET", "/v1/runs/..%2Fx", String::new(), 400, "TG0003"),
        ("GET", "/v1/runs/%FF%FE", String::new(), 400, "TG0002"),
        ("GET", "/v1/runs/nope/checkpoints", String::new(), 404, "TG0005"),
        ("GET", "/v1/runs/nope/checkpoints/latest", String::new(), 404, "TG0005"),
        ("GET", "/v1/runs/nope/checkpoints/-1", String::new(), 400, "TG0003"),
        ("GET", "/v1/runs/nope/checkpoints/newest", String::new(), 400, "TG0003"),
        ("PUT", "/v1/runs/nope/checkpoints/1/pin", reason("why"), 404, "TG0005"),
        ("PUT", "/v1/runs/nope/checkpoints/1/pin", reason(""), 400, "TG0003"),
        ("PUT", "/v1/runs/nope/checkpoints/1/pin", reason(&long.repeat(2)), 400, "TG0003"),
        ("POST", "/v1/runs/nope/checkpoints/1/prune", r#"{"tier":"peer","reason":"r"}"#.into(), 400, "TG0002"),
        ("POST", "/v1/runs/nope/checkpoints/1/prune", r#"{"tier":"nvme","reason":"r"}"#.into(), 404, "TG0005"),
        // Restores.
        ("POST", "/v1/restores", r#"{"run":"nope","step":"latest"}"#.into(), 404, "TG0005"),
        ("POST", "/v1/restores", r#"{"run":"nope","step":"newest"}"#.into(), 400, "TG0003"),
        ("POST", "/v1/restores?wait=forever", r#"{"run":"nope","step":1}"#.into(), 400, "TG0002"),
        ("POST", "/v1/restores?wait=-1", r#"{"run":"nope","step":1}"#.into(), 400, "TG0002"),
        ("GET", "/v1/restores/nope", String::new(), 404, "TG0018"),
        // Listings.
        ("GET", "/v1/runs?limit=0", String::new(), 400, "TG0002"),
        ("GET", "/v1/runs?limit=99999999999999999999", String::new(), 400, "TG0002"),
        ("GET", "/v1/runs?limt=1", String::new(), 400, "TG0002"),
        ("GET", "/v1/runs?limit=1&limit=2", String::new(), 400, "TG0002"),
        ("GET", "/v1/runs?page=1deadbeef00", String::new(), 400, "TG0002"),
        ("GET", "/v1/events?after=-1", String::new(), 400, "TG0002"),
        ("GET", "/v1/events?wait=NaN", String::new(), 400, "TG0002"),
        // Jobs and bots.
        ("GET", "/v1/jobs/nope", String::new(), 404, "TG0017"),
        ("DELETE", "/v1/jobs/0123456789abcdef0123456789abcdef", String::new(), 404, "TG0017"),
        ("GET", "/v1/bots/nope", String::new(), 404, "TG0019"),
        ("PUT", "/v1/bots/bot", spec(""), 404, "TG0020"),
        ("PUT", "/v1/bots/..%2Fbot", spec(""), 400, "TG0003"),
        ("PUT", "/v1/bots/bot", r#"{"plugin":"zz"}"#.into(), 400, "TG0002"),
        ("PUT", "/v1/bots/bot", spec(r#","grants":{"all":true}"#), 400, "TG0002"),
        ("PUT", "/v1/bots/bot", spec(r#","grants":[]"#), 400, "TG0002"),
        ("PUT", "/v1/bots/bot", spec(r#","grants":[["*"]]"#), 400, "TG0002"),
        ("PUT", "/v1/bots/bot", spec(r#","grants":{"read":["gpt-[0-9]"]}"#), 400, "TG0002"),
        ("PUT", "/v1/bots/bot", spec(r#","grants":{"read":[""]}"#), 400, "TG0002"),
        ("PUT", "/v1/bots/bot", spec(r#","grants":{"targets":["cold"]}"#), 400, "TG0002"),
        ("PUT", "/v1/bots/bot", spec(r#","triggers":[["started"]]"#), 400, "TG0002"),
        ("PUT", "/v1/bots/bot", spec(r#","mode":{"canary":{"percent":101}}"#), 400, "TG0002"),
        ("PUT", "/v1/bots/bot", spec(r#","mode":{"canary":[5]}"#), 400, "TG0002"),
        ("PUT", "/v1/bots/bot", spec(r#","probation":1000001"#), 400, "TG0002"),
        ("PUT", "/v1/bots/bot", format!("[{digest:?}]"), 400, "TG0002"),
        ("POST", "/v1/bots/bot/promote", "[5]".into(), 400, "TG0002"),
        ("PUT", "/v1/bots/bot", spec(r#","triggers":{"events":["everything"]}"#), 400, "TG0002"),
        ("POST", "/v1/bots/nope/resume", String::new(), 404, "TG0019"),
        // Routes and methods that do not exist.
        ("GET", "/", String::new(), 404, "TG0004"),
        ("GET", "/v2/runs", String::new(), 404, "TG0004"),
        ("GET", "/v1/runs/", String::new(), 400, "TG0003"),
        ("GET", "/v1/bots/", String::new(), 400, "TG0003"),
        ("POST", "/v1/bots//resume", String::new(), 400, "TG0003"),
        ("PATCH", "/v1/runs", String::new(), 405, "TG0004"),
        ("DELETE", "/v1/events", String::new(), 405, "TG0004"),
    ];
    for (method, target, body, status, code) in table {
        let shown: String = body.chars().take(100).collect();
        host.ask(method, target, &body).assert_problem(status, code, &format!("{method} {target} {shown}"));
    }
    assert_eq!(host.json(&["status"])["runs"].as_array().unwrap().len(), 0);
    assert_eq!(host.ask("GET", "/v1/saves", "").json()["items"].as_array().unwrap().len(), 0);
    assert_eq!(host.ask("GET", "/v1/plugins", "").json()["items"].as_array().unwrap().len(), 0);
    let tier: Vec<_> = fs::read_dir(dir.path().join("tier/staging")).unwrap().collect();
    assert!(tier.is_empty(), "{tier:?}");
}

#[test]
fn a_method_that_is_not_there_says_which_are() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path());
    let answer = host.ask("PATCH", "/v1/saves", "");
    let allow = answer.head.lines().find(|line| line.starts_with("allow:")).expect("an Allow header").to_owned();
    assert!(allow.contains("get") && allow.contains("post"), "{allow}");
}

#[test]
fn a_body_that_is_too_large_is_refused_and_the_answer_arrives() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path());
    let large = vec![b' '; 1 << 20];
    let json = [("content-type", "application/json")];
    host.raw(&request("POST", "/v1/saves", &json, &large)).assert_problem(413, "TG0025", "a long body");
    host.raw_tcp(&request("POST", "/v1/saves", &json, &large)).assert_problem(413, "TG0025", "over TCP");
    let chunk = format!("{:x}\r\n{}\r\n0\r\n\r\n", large.len(), " ".repeat(large.len()));
    let chunked = format!(
        "POST /v1/saves HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n{chunk}"
    );
    host.raw(chunked.as_bytes()).assert_problem(413, "TG0025", "chunked");
    let component = vec![0; (64 << 20) + 1];
    let wasm = [("content-type", "application/wasm")];
    host.raw(&request("POST", "/v1/plugins", &wasm, &component)).assert_problem(413, "TG0025", "a component");
}

#[test]
fn a_body_of_another_type_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path());
    let form = [("content-type", "application/x-www-form-urlencoded")];
    host.raw(&request("POST", "/v1/saves", &form, b"run=gpt")).assert_problem(415, "TG0002", "a form");
    host.raw(&request("POST", "/v1/plugins", &form, b"x")).assert_problem(415, "TG0002", "a form");
}

#[test]
fn what_is_no_component_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path());
    let wasm = [("content-type", "application/wasm")];
    for body in [&b""[..], b"hello", b"\0asm\x01\0\0\0"] {
        host.raw(&request("POST", "/v1/plugins", &wasm, body)).assert_problem(400, "TG0021", &format!("{body:?}"));
    }
    let file = dir.path().join("x.wasm");
    fs::write(&file, "hello").unwrap();
    let (code, _, err) = host.command(&["bots", "install", file.to_str().unwrap(), "--name", "x"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("TG0021"), "{err}");
}
