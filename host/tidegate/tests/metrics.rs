//! `GET /metrics` of a real host.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may stop")]

mod common;

use common::{Host, save};

#[test]
fn a_host_and_its_bots_are_scraped_over_both_sockets() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(&dir.path().join("host"));
    let component = tidegate_tests_support::guest::component("", "").unwrap();
    let path = dir.path().join("plain.wasm");
    std::fs::write(&path, component).unwrap();
    let triggers = r#"{"events":["shard-committed"]}"#;
    let grants = r#"{"read":["*"]}"#;
    let bots =
        ["bots", "install", path.to_str().unwrap(), "--name", "plain", "--triggers", triggers, "--grants", grants];
    host.json(&bots);
    save(&host, "r", 1, 0, 1, b"x");
    let scraped = loop {
        let answer = host.ask("GET", "/metrics", "");
        assert_eq!(answer.status, 200, "{answer:?}");
        if answer.body.lines().any(|line| line == r#"tidegate_bot_lag_events{bot="plain"} 0"#) {
            break answer;
        }
    };
    assert!(scraped.head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{}", scraped.head);
    let sample = |name: &str| scraped.body.lines().filter(|line| line.starts_with(name)).collect::<Vec<_>>();
    // That it starts, and the commit.
    assert_eq!(sample("tidegate_bot_events_handled_total"), [r#"tidegate_bot_events_handled_total{bot="plain"} 2"#]);
    assert_eq!(sample("tidegate_bot_status{").len(), 3);
    let host_line =
        format!("tidegate_host_info{{host=\"{}\"", host.ask("GET", "/v1/health", "").json()["host"].as_str().unwrap());
    assert_eq!(sample(&host_line).len(), 1);

    host.json(&["bots", "remove", "plain"]);
    let get = common::request("GET", "/metrics", &[], b"");
    let over_tcp = host.raw_tcp(&get);
    assert_eq!(over_tcp.status, 200);
    assert!(!over_tcp.body.contains("plain"), "a bot that is gone is not counted any more");
    assert_eq!(host.ask("POST", "/metrics", "").status, 405);
}
