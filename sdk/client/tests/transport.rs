//! How calls travel: connections, retries, deadlines.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod support;

use std::time::Duration;

use support::{Host, Reply, answer, text};
use tidegate_client::{Address, Client, Error, Options, Paging, api::Begin, api::Commit};

const EMPTY: &str = r#"{"items":[]}"#;
const SAVE: &str = r#"{"save_id":"s1","run":"gpt","step":1,"rank":0,"path":"/t","expires_at":"2026-01-01T00:00:00Z"}"#;
const COMMITTED: &str = r#"{"run":"gpt","step":1,"rank":0,"bytes":5,"files":1,"complete":true,"seq":3,"reused":false}"#;

fn begin() -> Begin {
    Begin { run: "gpt".into(), step: 1, rank: 0, world_size: 1, bytes: None }
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let host = Host::start(vec![answer("201 Created", SAVE), answer("200 OK", COMMITTED), answer("200 OK", EMPTY)]);
    let client = host.client(Options::default());
    let save = client.begin(&begin()).await.unwrap();
    assert!(client.commit(&save.save_id, &Commit::default()).await.unwrap().complete);
    client.runs(&Paging::default()).await.unwrap();
    assert_eq!(host.seen(), (1, 3));
}

#[tokio::test]
async fn a_connection_that_died_while_idle_costs_no_call() {
    let host = Host::start(vec![Reply::Last(text("201 Created", SAVE)), answer("200 OK", COMMITTED)]);
    let client = host.client(Options::default());
    let save = client.begin(&begin()).await.unwrap();
    assert!(client.commit(&save.save_id, &Commit::default()).await.is_ok());
    assert_eq!(host.seen(), (2, 2));
}

#[tokio::test]
async fn a_host_that_dies_over_a_commit_may_have_taken_it_so_the_client_does_not_say_that_nothing_was_asked() {
    let host = Host::start(vec![answer("201 Created", SAVE), Reply::HangUp]);
    let client = host.client(Options::default());
    let save = client.begin(&begin()).await.unwrap();
    // The kept connection still works; nobody can connect anew.
    std::fs::remove_file(host.socket()).unwrap();
    let error = client.commit(&save.save_id, &Commit::default()).await.unwrap_err();
    assert!(matches!(error, Error::Broken { .. }), "{error}");
    assert_eq!(host.seen(), (1, 2));
}

#[tokio::test]
async fn a_get_is_tried_again_and_then_given_up() {
    let busy = r#"{"type":"/errors/TG0027","title":"t","status":503,"detail":"d","code":"TG0027","hint":"h"}"#;
    let busy = || answer("503 Service Unavailable", busy);
    let script = || vec![busy(), busy(), answer("200 OK", EMPTY)];
    let host = Host::start(script());
    assert!(host.client(Options::default()).runs(&Paging::default()).await.is_ok());
    let host = Host::start(script());
    let error = host.client(Options { retries: 1, ..Options::default() }).runs(&Paging::default()).await.unwrap_err();
    assert_eq!(error.code(), Some("TG0027"));
    assert_eq!(host.seen().1, 2);
}

#[tokio::test]
async fn a_post_that_broke_on_a_fresh_connection_is_not_sent_again() {
    let host = Host::start(vec![Reply::HangUp]);
    let error = host.client(Options::default()).begin(&begin()).await.unwrap_err();
    assert!(matches!(error, Error::Broken { .. }), "{error}");
    assert_eq!(host.seen(), (1, 1));
}

#[tokio::test]
async fn a_problem_keeps_its_code_and_hint() {
    let problem =
        r#"{"type":"/errors/TG0010","title":"no room","status":507,"detail":"1 of 2","code":"TG0010","hint":"prune"}"#;
    let host = Host::start(vec![answer("507 Insufficient Storage", problem)]);
    let error = host.client(Options::default()).begin(&begin()).await.unwrap_err();
    assert_eq!((error.code(), error.status()), (Some("TG0010"), Some(507)));
    assert_eq!(error.problem().unwrap().hint, "prune");
}

#[tokio::test]
async fn what_is_not_tidegates_is_said_to_be_so() {
    for reply in [answer("502 Bad Gateway", "<html>"), answer("200 OK", "<html>"), Reply::Raw("SSH-2.0\r\n\r\n".into())]
    {
        let host = Host::start(vec![reply]);
        let error = host.client(Options { retries: 0, ..Options::default() }).health().await.unwrap_err();
        assert!(matches!(error, Error::Answer { .. } | Error::Broken { .. }), "{error}");
    }
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let host = Host::start(vec![Reply::Silence]);
    let options = Options { timeout: Duration::from_millis(200), ..Options::default() };
    let error = host.client(options).health().await.unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn nobody_at_the_address_is_unreachable() {
    let client = Client::new(Address::Unix("/nowhere/tidegate.sock".into()));
    let error = client.begin(&begin()).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("/nowhere/tidegate.sock"));
}

#[tokio::test]
async fn an_event_stream_goes_on_where_it_broke() {
    let event = |seq: u64| {
        format!(
            "id: {seq}\nevent: pinned\ndata: {{\"seq\":{seq},\"time\":\"\",\"host\":\"h\",\"kind\":\"pinned\"}}\n\n"
        )
    };
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    let first = format!("{head}:\n\n{}{}", event(1), event(2));
    let second = format!("{head}{}", event(3));
    let host = Host::start(vec![Reply::Last(first), Reply::Last(second)]);
    let mut stream = host.client(Options::default()).follow(0);
    assert_eq!(stream.next().await.unwrap().seq, 1);
    assert_eq!(stream.next().await.unwrap().seq, 2);
    assert!(matches!(stream.next().await, Err(Error::Broken { .. })));
    assert_eq!(stream.position(), 2);
    assert_eq!(stream.next().await.unwrap().seq, 3);
}
