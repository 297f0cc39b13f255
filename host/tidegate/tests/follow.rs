//! Following the journal: nothing is missed and nothing comes twice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod common;

use std::{
    io::{BufRead, BufReader, Lines, Write},
    os::unix::net::UnixStream,
    process::{ChildStdout, Stdio},
};

use common::{Host, request, save, tidegate};
use rustix::process::{Pid, Signal, kill_process};

/// Places of the events up to the next checkpoint that is complete.
fn until_complete(lines: &mut Lines<BufReader<ChildStdout>>, seen: &mut Vec<u64>) -> u64 {
    loop {
        let event: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        seen.push(event["seq"].as_u64().unwrap());
        if event["kind"] == "checkpoint-complete" {
            return event["step"].as_u64().unwrap();
        }
    }
}

#[test]
fn events_are_followed_over_a_crash_of_the_host_until_ctrl_c() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path());
    save(&host, "gpt", 1, 0, 1, b"x");
    let mut command = tidegate(&["--json", "events", "--follow"]);
    let mut follower = command.env("TIDEGATE_SOCKET", host.socket()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut lines, mut seen) = (BufReader::new(follower.stdout.take().unwrap()).lines(), Vec::new());
    assert_eq!(until_complete(&mut lines, &mut seen), 1);
    save(&host, "gpt", 2, 0, 1, b"y");
    assert_eq!(until_complete(&mut lines, &mut seen), 2);

    host.signal(Signal::KILL);
    host.wait();
    let host = Host::start(dir.path());
    save(&host, "gpt", 3, 0, 1, b"z");
    assert_eq!(until_complete(&mut lines, &mut seen), 3);
    assert!(seen.iter().enumerate().all(|(nth, seq)| *seq == nth as u64 + 1), "{seen:?}");

    kill_process(Pid::from_child(&follower), Signal::INT).unwrap();
    assert_eq!(follower.wait().unwrap().code(), Some(0));
}

#[test]
fn a_stream_goes_on_after_the_last_event_that_was_received() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path());
    save(&host, "gpt", 1, 0, 1, b"x");
    for (target, headers, first) in [
        ("/v1/events/stream", vec![], "id: 1"),
        ("/v1/events/stream?after=1", vec![], "id: 2"),
        ("/v1/events/stream", vec![("last-event-id", "1")], "id: 2"),
        ("/v1/events/stream?after=9", vec![("last-event-id", "1")], "id: 2"),
    ] {
        let mut stream = UnixStream::connect(host.socket()).unwrap();
        stream.write_all(&request("GET", target, &headers, b"")).unwrap();
        let lines = BufReader::new(stream).lines().map(Result::unwrap);
        assert_eq!(lines.into_iter().find(|line| line.starts_with("id:")).unwrap(), first, "{target} {headers:?}");
    }
    let bad = request("GET", "/v1/events/stream", &[("last-event-id", "one")], b"");
    host.raw(&bad).assert_problem(400, "TG0002", "an id that is no place");
}
