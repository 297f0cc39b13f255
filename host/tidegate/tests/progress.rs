//! What takes long says so on a terminal, and nowhere else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod common;

use std::{
    fs::{self, File},
    io::Read,
    process::Stdio,
};

use common::{Host, tidegate};
use rustix::{
    fs::{Mode, OFlags, open},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};

/// What a command writes on a terminal as its standard error.
fn on_a_terminal(host: &Host, args: &[&str]) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let inner = open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let mut command = tidegate(args);
    command.env("TIDEGATE_SOCKET", host.socket()).env("TERM", "xterm").stdout(Stdio::null()).stderr(inner);
    let mut child = command.spawn().unwrap();
    // The command holds the only open ends of the terminal now: reading fails when it has ended.
    drop(command);
    let mut written = Vec::new();
    let _ = File::from(terminal).read_to_end(&mut written);
    child.wait().unwrap();
    String::from_utf8(written).unwrap()
}

#[test]
fn an_upload_shows_a_spinner_on_a_terminal_and_nothing_with_json_or_into_a_pipe() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(&dir.path().join("host"));
    let file = dir.path().join("bot.wasm");
    fs::write(&file, "no component").unwrap();
    let install = ["bots", "install", file.to_str().unwrap(), "--name", "x"];
    let shown = on_a_terminal(&host, &install);
    assert!(shown.contains("uploading") && shown.contains("TG0021"), "{shown}");

    let shown = on_a_terminal(&host, &[&["--json"], &install[..]].concat());
    let error: serde_json::Value = serde_json::from_str(&shown).expect("only JSON");
    assert_eq!(error["error"]["code"], "TG0021");
    let (_, _, err) = host.command(&install);
    assert!(err.contains("TG0021") && !err.contains("uploading"), "{err}");
}
