//! The other clouds go through the same client: their bytes are counted, whole, and of a known length.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use object_store::{ObjectStoreExt, PutPayload, path::Path};

use super::*;

/// What came: the request line, and the body.
type Came = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Takes every upload as both Azure and GCS would, and gives the last one back.
fn serve() -> (String, Came) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, came) = (listener.local_addr().unwrap(), Came::default());
    let all = Arc::clone(&came);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let came = Arc::clone(&came);
            thread::spawn(move || while answer(&stream, &came).is_some() {});
        }
    });
    (format!("http://{address}"), all)
}

fn answer(stream: &TcpStream, came: &Came) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let start = head.len();
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
        let line = head[start..].to_ascii_lowercase();
        assert!(!line.starts_with("transfer-encoding"), "{line}");
        length = line.strip_prefix("content-length:").map_or(length, |value| value.trim().parse().unwrap());
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body).ok()?;
    let line = head.lines().next()?.to_owned();
    let (status, content) = if line.starts_with("GET") {
        ("200 OK", came.lock().unwrap().last()?.1.clone())
    } else {
        came.lock().unwrap().push((line, body));
        ("201 Created", Vec::new())
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nETag: \"e\"\r\nLast-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n\
         x-ms-blob-type: BlockBlob\r\nx-goog-generation: 1\r\nContent-Length: {}\r\n\r\n",
        content.len()
    );
    (&mut &*stream).write_all(head.as_bytes()).ok()?;
    (&mut &*stream).write_all(&content).ok()
}

async fn goes_through_the_budget(url: &str, settings: &[(&str, &str)], came: &Came) {
    let mut options = options();
    options.store.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    options.upload_rate = (1 << 20).try_into().ok();
    let target = Target::open("t".parse().unwrap(), url, options).unwrap();
    let (object, sent) = (Path::from("some/object"), bytes(7, 300_001));
    target.store().put(&object, PutPayload::from(sent.clone())).await.unwrap();
    assert!(came.lock().unwrap().last().unwrap().1 == sent);
    let read = target.store().get(&object).await.unwrap().bytes().await.unwrap();
    assert!(read == sent);
    let figures = target.figures();
    assert_eq!((figures.upload.granted, figures.download.granted), (300_001, 300_001));
    assert!(figures.upload.waits >= 1 && figures.requests.granted == 2 && figures.in_flight == 0, "{figures:?}");
}

#[tokio::test]
async fn azure_goes_through_the_budget() {
    let (endpoint, came) = serve();
    let settings =
        [("account_name", "account"), ("access_key", "aHVudGVyMg=="), ("endpoint", &*endpoint), ("allow_http", "true")];
    goes_through_the_budget("az://container/prefix", &settings, &came).await;
}

#[tokio::test]
async fn gcs_goes_through_the_budget() {
    let (endpoint, came) = serve();
    let account = format!(
        r#"{{"gcs_base_url":"{endpoint}","disable_oauth":true,"client_email":"","private_key":"","private_key_id":""}}"#
    );
    let settings = [("service_account_key", &*account), ("allow_http", "true")];
    goes_through_the_budget("gs://bucket/prefix", &settings, &came).await;
}
