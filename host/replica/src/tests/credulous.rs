//! A server that answers like S3 and checks nothing, as some do: what it must not be trusted with.

use std::{
    collections::HashSet,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use super::*;
use crate::{Verify, target::Method};

/// What it does with If-None-Match.
#[derive(Clone, Copy, PartialEq)]
enum Conditions {
    Ignored,
    /// It looks first and writes a little later.
    LookedAt,
    Honoured,
}

/// Serves until the test ends.
fn serve(conditions: Conditions) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let there: Arc<Mutex<HashSet<String>>> = Arc::default();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let there = Arc::clone(&there);
            thread::spawn(move || while answer(&stream, conditions, &there).is_some() {});
        }
    });
    format!("http://{address}")
}

/// Answers one request; none when the client has gone.
fn answer(stream: &TcpStream, conditions: Conditions, there: &Mutex<HashSet<String>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length, mut create) = (String::new(), 0, false);
    while !head.ends_with("\r\n\r\n") {
        let start = head.len();
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
        let line = head[start..].to_ascii_lowercase();
        create |= line.starts_with("if-none-match");
        length = line.strip_prefix("content-length:").map_or(length, |value| value.trim().parse().unwrap());
    }
    std::io::copy(&mut reader.take(length), &mut std::io::sink()).ok()?;
    let mut words = head.split(' ');
    let (method, object) = (words.next()?, words.next()?.split('?').next()?.to_owned());
    let known = match method {
        "DELETE" => there.lock().unwrap().remove(&object),
        "PUT" if create && conditions == Conditions::LookedAt => {
            let known = there.lock().unwrap().contains(&object);
            thread::sleep(std::time::Duration::from_millis(200));
            there.lock().unwrap().insert(object);
            known
        }
        "PUT" => !there.lock().unwrap().insert(object),
        _ => false,
    };
    let (status, body) = match method {
        "PUT" if known && create && conditions != Conditions::Ignored => ("412 Precondition Failed", ""),
        "DELETE" => ("204 No Content", ""),
        "POST" => ("200 OK", "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"),
        _ => ("200 OK", ""),
    };
    let head = format!("HTTP/1.1 {status}\r\nETag: \"e\"\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    (&mut &*stream).write_all(head.as_bytes()).ok()
}

fn target(endpoint: String, verify: Verify) -> Target {
    let mut options = Options { verify, retries: 0, ..options() };
    let settings = [
        ("endpoint", &*endpoint),
        ("allow_http", "true"),
        ("region", "x"),
        ("skip_signature", "true"),
        ("disable_bulk_delete", "true"),
    ];
    options.store.extend(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
    Target::open("t".parse().unwrap(), "s3://bucket", options).unwrap()
}

#[tokio::test]
async fn a_server_that_ignores_conditions_is_refused() {
    let refused = target(serve(Conditions::Ignored), Verify::Auto).probe().await.unwrap_err();
    assert!(matches!(refused, Error::Config { .. }) && refused.to_string().contains("If-None-Match"), "{refused}");
}

#[tokio::test]
async fn a_server_that_lets_several_create_the_same_object_is_refused() {
    let refused = target(serve(Conditions::LookedAt), Verify::Auto).probe().await.unwrap_err();
    assert!(matches!(refused, Error::Config { .. }) && refused.to_string().contains("at once"), "{refused}");
}

#[tokio::test]
async fn uploads_to_a_server_that_takes_damaged_bytes_are_read_back() {
    assert_eq!(*target(serve(Conditions::Honoured), Verify::Auto).method().await.unwrap(), Method::Reread);
}

#[tokio::test]
async fn a_server_that_takes_damaged_bytes_cannot_be_trusted_with_checksums() {
    let refused = target(serve(Conditions::Honoured), Verify::Checksum).method().await.unwrap_err();
    assert!(matches!(refused, Error::Config { .. }) && !refused.retryable(), "{refused}");
}
