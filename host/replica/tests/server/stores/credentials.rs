//! Credentials that expire are asked for again, from where the machine has them.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::atomic::AtomicUsize,
    thread,
    time::{Duration, SystemTime},
};

use super::*;

/// The metadata service of a cloud machine, whose keys are good for two seconds. Returns its address and how often it
/// was asked for keys.
fn metadata() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, asked) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let count = Arc::clone(&count);
            thread::spawn(move || while answer(&stream, &count).is_some() {});
        }
    });
    (format!("http://{address}"), asked)
}

#[allow(clippy::disallowed_methods, reason = "when keys end is told in the time of the system")]
fn answer(stream: &TcpStream, asked: &AtomicUsize) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let body = match head.split(' ').nth(1)? {
        "/latest/api/token" => "token".to_owned(),
        "/latest/meta-data/iam/security-credentials/" => "role".to_owned(),
        _ => {
            asked.fetch_add(1, Ordering::SeqCst);
            let ends = humantime::format_rfc3339(SystemTime::now() + Duration::from_secs(2));
            format!(
                r#"{{"AccessKeyId":"{ACCESS_KEY}","SecretAccessKey":"{SECRET_KEY}","Token":"","Expiration":"{ends}"}}"#
            )
        }
    };
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    (&mut &*stream).write_all(head.as_bytes()).ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_the_machine_are_renewed() {
    let server = server();
    let (metadata, asked) = metadata();
    let target = target(&server.weed, &server.weed.endpoint(), |options| {
        options.store.retain(|name, _| !name.contains("access_key"));
        options.store.insert("metadata_endpoint".into(), metadata);
    });
    target.probe().await.unwrap();
    let before = asked.load(Ordering::SeqCst);
    assert!(before > 0);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let shard = Shard::of_rank(0, 1);
    shard.ship(&target).await.unwrap();
    assert!(asked.load(Ordering::SeqCst) > before, "the old ones have ended");
    shard.check(&target).await.unwrap();
}
