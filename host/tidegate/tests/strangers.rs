//! Who may ask: nobody from a web page, nobody by another name, and TCP less than the Unix socket.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{Host, request};

const PINGS: [(&str, &str, &[u8]); 2] =
    [("GET", "/v1/runs", b""), ("POST", "/v1/saves", br#"{"run":"gpt","step":1,"rank":0,"world_size":1}"#)];

#[test]
fn a_web_page_of_another_origin_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path());
    for (method, target, body) in PINGS {
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("origin", "http://localhost:3000"),
            ("sec-fetch-site", "cross-site"),
        ] {
            let bytes = request(method, target, &[("host", host.authority()), (name, value)], body);
            host.raw_tcp(&bytes).assert_problem(403, "TG0031", value);
            host.raw(&bytes).assert_problem(403, "TG0031", value);
        }
    }
    let own = format!("http://{}", host.authority());
    let bytes = request("GET", "/v1/runs", &[("host", host.authority()), ("origin", &own)], b"");
    assert_eq!(host.raw_tcp(&bytes).status, 200);
    assert_eq!(host.ask("GET", "/v1/saves", "").json()["items"].as_array().unwrap().len(), 0);
}

#[test]
fn a_name_that_was_rebound_to_loopback_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path());
    for (method, target, body) in PINGS {
        let bytes = request(method, target, &[("host", "evil.example:7070")], body);
        host.raw_tcp(&bytes).assert_problem(403, "TG0031", "a rebound name");
    }
    assert_eq!(host.raw_tcp(&request("GET", "/livez", &[], b"")).status, 200);
}

#[test]
fn a_directory_of_the_callers_can_only_be_named_over_the_unix_socket() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path());
    let into = dir.path().join("stolen");
    let body = format!(r#"{{"run":"gpt","step":1,"into":{into:?}}}"#);
    let bytes = request("POST", "/v1/restores", &[], body.as_bytes());
    host.raw_tcp(&bytes).assert_problem(403, "TG0029", "over TCP");
    host.raw(&bytes).assert_problem(404, "TG0005", "over the Unix socket");
    assert!(!into.exists());
}

#[test]
fn it_does_not_listen_off_this_machine() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let (code, _, err) = common::output(&mut common::tidegate(&["dev", "--dir", path, "--listen", "0.0.0.0:0"]));
    assert_eq!(code, 1);
    assert!(err.contains("loopback"), "{err}");
    assert!(!dir.path().join("tidegate.sock").exists());
}
