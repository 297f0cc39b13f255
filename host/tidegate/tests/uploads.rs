//! Components are large: only some are taken in at once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod common;

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
};

use common::{Host, request};

/// Begins an upload of a hundred bytes. The host asks for them when it is the upload's turn.
fn begin(host: &Host) -> BufReader<UnixStream> {
    let headers = [("content-type", "application/wasm"), ("content-length", "100"), ("expect", "100-continue")];
    let mut stream = UnixStream::connect(host.socket()).unwrap();
    stream.write_all(&request("POST", "/v1/plugins", &headers, b"")).unwrap();
    let (mut stream, mut line) = (BufReader::new(stream), String::new());
    stream.read_line(&mut line).unwrap();
    assert!(line.contains("100 Continue"), "{line}");
    stream
}

#[test]
fn more_uploads_than_the_host_takes_in_at_once_wait_and_are_then_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path());
    let mut slow: Vec<_> = (0..4).map(|_| begin(&host)).collect();
    let upload = request("POST", "/v1/plugins", &[("content-type", "application/wasm")], b"hello");
    host.raw(&upload).assert_problem(429, "TG0030", "a fifth");
    assert_eq!(host.ask("GET", "/v1/plugins", "").status, 200, "nothing else waits for them");
    slow.pop();
    host.raw(&upload).assert_problem(400, "TG0021", "a fourth, once one has gone");
}
