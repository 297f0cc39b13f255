//! A host's life: starts, stops, and what stands in its way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod common;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
};

use common::{Host, output, request, tidegate};
use rustix::process::Signal;
use tidegate_tests_support::guest::{PIN, component};

#[test]
fn sigterm_ends_it_well_even_while_somebody_follows_and_somebody_waits() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path());
    let mut following = UnixStream::connect(host.socket()).unwrap();
    following.write_all(&request("GET", "/v1/events/stream", &[], b"")).unwrap();
    let mut following = BufReader::new(following);
    let mut line = String::new();
    following.read_line(&mut line).unwrap();
    assert!(line.contains("200"), "{line}");
    let mut waiting = UnixStream::connect(host.socket()).unwrap();
    waiting.write_all(&request("GET", "/v1/events?after=1000000&wait=60", &[], b"")).unwrap();
    let socket = host.socket();
    host.signal(Signal::TERM);
    let mut line = String::new();
    let _ = BufReader::new(waiting).read_line(&mut line);
    // Empty: the signal was faster than the request.
    assert!(line.is_empty() || line.contains("200"), "{line}");
    assert_eq!(host.wait().code(), Some(0));
    assert!(!socket.exists());
}

#[test]
fn a_second_host_leaves_the_first_alone() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path());
    let path = dir.path().to_str().unwrap();
    let (code, _, err) = output(&mut tidegate(&["dev", "--dir", path, "--listen", "127.0.0.1:0"]));
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("answers"), "{err}");
    assert_eq!(host.ask("GET", "/readyz", "").status, 200);
}

#[test]
fn after_kill_9_it_starts_on_the_same_directory() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path());
    let body = r#"{"run":"gpt","step":1,"rank":0,"world_size":1}"#;
    let save = host.ask("POST", "/v1/saves", body).json();
    let staging = save["path"].as_str().unwrap().to_owned();
    fs::write(format!("{staging}/half.bin"), "half").unwrap();
    host.signal(Signal::KILL);
    assert_eq!(host.wait().code(), None);
    assert!(dir.path().join("tidegate.sock").exists(), "a killed host leaves its socket");
    let host = Host::start(dir.path());
    assert!(!fs::exists(&staging).unwrap());
    assert_eq!(host.ask("GET", "/v1/runs", "").json()["items"].as_array().unwrap().len(), 0);
}

#[test]
fn dev_takes_a_free_port_when_its_own_is_taken_and_goes_on_without_bots() {
    let dir = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let host = Host::start_with(dir.path(), &["--listen", &address, "--plugins", "/nonexistent"]);
    assert_ne!(host.authority(), address);
    let notes = host.ready["notes"].to_string();
    assert!(notes.contains(&address) && notes.contains("/nonexistent/replicate.wasm"), "{notes}");
    assert_eq!(host.ready["bots"].as_array().unwrap().len(), 0);
}

#[test]
fn run_reads_its_file_and_refuses_what_it_does_not_know() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tidegate.toml");
    let text = format!(
        "[host]\nname = \"node\"\ndir = {:?}\n[object]\nurl = \"memory://\"\n[tier]\nhash_treads = 1\n",
        dir.path().join("host")
    );
    fs::write(&file, text).unwrap();
    let run = ["run", "--config", file.to_str().unwrap()];
    let (code, _, err) = output(&mut tidegate(&run));
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("hash_treads"), "{err}");
    let mut command = tidegate(&["--json", "run", "--config", "/nonexistent.toml"]);
    let (code, _, err) = output(&mut command);
    assert_eq!(code, 2, "{err}");
    let error: serde_json::Value = serde_json::from_str(&err).unwrap();
    assert!(error["error"]["message"].as_str().unwrap().contains("/nonexistent.toml"));
    assert!(!dir.path().join("host").exists(), "a wrong configuration makes nothing");
}

#[test]
fn a_save_has_as_long_as_the_configuration_says() {
    let expires = |seconds: Option<&str>| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_str().unwrap();
        let args = ["--json", "dev", "--dir", path, "--listen", "127.0.0.1:0", "--plugins", "/nonexistent"];
        let mut command = tidegate(&args);
        command.envs(seconds.map(|seconds| ("TIDEGATE_TIER__SAVE_TTL_SECONDS", seconds)));
        let host = Host::start_by(&mut command);
        let save = host.ask("POST", "/v1/saves", r#"{"run":"gpt","step":1,"rank":0,"world_size":1}"#).json();
        save["expires_at"].as_str().unwrap().to_owned()
    };
    // In order as texts, too.
    let (minute, hour, week) = (expires(Some("60")), expires(None), expires(Some("604800")));
    assert!(minute < hour && hour < week, "{minute} {hour} {week}");
}

#[test]
fn a_configured_bot_that_could_not_be_installed_degrades_the_host_until_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bot.wasm");
    fs::write(&file, component(PIN, "").unwrap()).unwrap();
    let bots = format!(
        "[bots.install.miss]\nplugin = \"/nope.wasm\"\n[bots.install.refused]\nplugin = {file:?}\n\
         [bots.install.sound]\nplugin = {file:?}\ngrants = {{ pin = [\"*\"] }}\n"
    );
    let host = Host::run(dir.path(), &bots);
    let ready = || {
        let ready = host.ask("GET", "/readyz", "").json();
        let bots = ready["checks"].as_array().unwrap().iter().find(|check| check["name"] == "bots").unwrap().clone();
        (ready["ready"].as_bool().unwrap(), ready["degraded"].as_bool().unwrap(), bots["detail"].to_string())
    };
    let (is_ready, degraded, told) = ready();
    assert!(is_ready && degraded && told.contains("2 of the configuration could not be installed: miss ("), "{told}");
    assert!(
        told.contains("can't read /nope.wasm: No such file") && told.contains("refused (TG0033: it imports `pin`"),
        "{told}"
    );
    let (code, out, _) = host.command(&["status"]);
    assert!(code == 0 && out.contains("ready, degraded") && out.contains("! bots: 2 of the configuration"), "{out}");

    let install = |name: &str| {
        host.json(&["bots", "install", file.to_str().unwrap(), "--name", name, "--grants", r#"{"pin":["*"]}"#])
    };
    install("refused");
    let (_, _, told) = ready();
    assert!(told.contains("1 of the configuration") && !told.contains("refused"), "{told}");
    install("miss");
    assert_eq!(ready(), (true, false, "\"3 at work\"".to_owned()));
}
