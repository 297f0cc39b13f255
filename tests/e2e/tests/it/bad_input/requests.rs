//! Requests that are not what they should be: wrong JSON, wrong types, too large, not HTTP.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    time::Duration,
};

use serde_json::{Value, json};

use super::site::{Site, check};

#[test]
fn wrong_json_is_explained() {
    let site = Site::start();
    for body in [
        &b""[..],
        b"{",
        b"null",
        b"[]",
        b"42",
        b"\"text\"",
        b"{}",
        b"{\"run\":\"gpt\"}",
        b"{\"run\":\"gpt\",\"step\":1,\"rank\":0,\"world_size\":1} trailing",
        b"{\"run\":\"gpt\",\"step\":1,\"rank\":0,\"world_size\":1,\"colour\":\"red\"}",
        b"{\"run\":\"gpt\",\"run\":\"gpt\",\"step\":1,\"rank\":0,\"world_size\":1}",
        b"{\"run\":7,\"step\":1,\"rank\":0,\"world_size\":1}",
        b"{\"run\":null,\"step\":1,\"rank\":0,\"world_size\":1}",
        b"{\"run\":\"gpt\",\"step\":\"1\",\"rank\":0,\"world_size\":1}",
        b"{\"run\":\"gpt\",\"step\":[],\"rank\":{},\"world_size\":true}",
        b"{\"run\":\"\xff\xfe\",\"step\":1,\"rank\":0,\"world_size\":1}",
        b"{\"run\":\"\\ud800\",\"step\":1,\"rank\":0,\"world_size\":1}",
        b"{'run':'gpt'}",
        b"step=1&run=gpt",
        b"\x00\x01\x02",
    ] {
        let response = site.send("POST", "/v1/saves", body, Some("application/json"));
        check(&response, "TG0002", &String::from_utf8_lossy(body));
        assert_eq!(response.status, 400);
    }
    let deep = "[".repeat(100_000);
    check(&site.send("POST", "/v1/saves", deep.as_bytes(), Some("application/json")), "TG0002", "deep");
    let good = br#"{"run":"gpt","step":1,"rank":0,"world_size":1}"#;
    for wrong in ["text/plain", "multipart/form-data", "application/x-www-form-urlencoded", "application/wasm"] {
        let response = site.send("POST", "/v1/saves", good, Some(wrong));
        check(&response, "TG0002", wrong);
        assert_eq!(response.status, 415);
    }
    site.leaves_nothing();
    site.still_works();
}

#[test]
fn every_body_has_a_strict_form() {
    let site = Site::start();
    site.checkpoint("gpt", 1);
    let pin = "/v1/runs/gpt/checkpoints/1/pin";
    let prune = "/v1/runs/gpt/checkpoints/1/prune";
    let digest = "0".repeat(64);
    for (method, path, body) in [
        ("PUT", pin, json!({})),
        ("PUT", pin, json!({ "reason": 1 })),
        ("PUT", pin, json!({ "reason": "a test", "until": 5 })),
        ("POST", prune, json!({ "tier": "tape", "reason": "a test" })),
        ("POST", prune, json!({ "tier": "nvme" })),
        ("POST", prune, json!({ "tier": "nvme", "reason": "a test", "dry_run": "yes" })),
        ("POST", "/v1/restores", json!({ "run": "gpt" })),
        ("POST", "/v1/restores", json!({ "run": "gpt", "step": {} })),
        ("POST", "/v1/restores", json!({ "run": "gpt", "step": 1, "to": "/tmp/x" })),
        ("PUT", "/v1/bots/bot", json!({})),
        ("PUT", "/v1/bots/bot", json!({ "plugin": digest, "grant": {} })),
        ("PUT", "/v1/bots/bot", json!({ "plugin": digest, "grants": { "root": true } })),
        ("PUT", "/v1/bots/bot", json!({ "plugin": digest, "grants": { "read": "*" } })),
        ("PUT", "/v1/bots/bot", json!({ "plugin": digest, "grants": { "tiers": ["tape"] } })),
        ("PUT", "/v1/bots/bot", json!({ "plugin": digest, "triggers": { "events": ["full-moon"] } })),
        ("PUT", "/v1/bots/bot", json!({ "plugin": digest, "triggers": 7 })),
    ] {
        site.refused("TG0002", method, path, &body);
    }
    for reason in ["", "a\nb", "\u{1b}[2J", &"x".repeat(513)] {
        site.refused("TG0003", "PUT", pin, &json!({ "reason": reason }));
        site.refused("TG0003", "POST", prune, &json!({ "tier": "nvme", "reason": reason }));
    }
    assert!(!site.get::<Value>("/v1/runs/gpt/checkpoints/1")["pinned"].as_bool().unwrap());
    site.still_works();
}

#[test]
fn bodies_beyond_their_bounds_are_not_read_to_their_ends() {
    let site = Site::start();
    let memory = || tidegate_tests_support::proc::memory(site.host.pid().unwrap());
    let before = memory();
    let large = vec![b' '; 300 << 10];
    check(&site.send("POST", "/v1/saves", &large, Some("application/json")), "TG0025", "300 kB of JSON");
    let component = vec![0; (64 << 20) + 1];
    check(&site.upload(&component), "TG0025", "65 MiB of component");
    // A length that is a lie: the answer comes without the bytes.
    let socket = site.host.socket();
    let claimed = raw(&socket, b"POST /v1/saves HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000000000\r\n\r\n{");
    assert!(claimed.contains("413") && claimed.contains("TG0025"), "{claimed}");
    // Pieces without an end.
    let mut endless = b"POST /v1/saves HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..8 {
        endless.extend_from_slice(b"10000\r\n");
        endless.extend(std::iter::repeat_n(b' ', 0x10000));
        endless.extend_from_slice(b"\r\n");
    }
    let endless = raw(&socket, &endless);
    assert!(endless.contains("413") && endless.contains("TG0025"), "{endless}");
    if let (Some(before), Some(after)) = (before, memory()) {
        assert!(after < before + (192 << 20), "{before} bytes of memory became {after}");
    }
    site.leaves_nothing();
    site.still_works();
}

#[test]
fn what_is_not_http_is_answered_or_hung_up_on() {
    let site = Site::start();
    let socket = site.host.socket();
    let mut long = b"GET /v1/runs HTTP/1.1\r\nhost: localhost\r\nx: ".to_vec();
    long.resize(4 << 20, b'x');
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"HELO tidegate\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\r\n\r\n",
        b"POST /v1/saves HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/saves HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
        b"\0\0\0\0\0\0\0\0",
        b"",
        &long,
    ] {
        let answer = raw(&socket, bytes);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    site.still_works();
}

/// Sends bytes as they are, and reads what comes until the host hangs up or says nothing more.
fn raw(socket: &std::path::Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    // A host that has hung up already takes no more.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(read) => answer.extend_from_slice(&piece[..read]),
        }
        // A whole answer with its body; the connection may stay open.
        if answer.ends_with(b"}") {
            break;
        }
        if bytes.is_empty() {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}
