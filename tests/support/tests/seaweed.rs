//! The S3 server of the tests: what it stores is there again, and it dies with its guard.

use object_store::{ObjectStoreExt, path::Path};
use tidegate_tests_support::seaweed::SeaweedFs;

#[tokio::test]
async fn what_was_stored_is_there_after_a_kill_and_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = SeaweedFs::start(dir.path()).unwrap();
    let store = server.client(&server.endpoint()).build().unwrap();
    let body = bytes::Bytes::from(vec![7_u8; 3 << 20]);
    store.put(&Path::from("a/b"), body.clone().into()).await.unwrap();

    server.kill9();
    assert!(server.pid().is_none());
    server.restart().unwrap();
    let read = store.get(&Path::from("a/b")).await.unwrap().bytes().await.unwrap();
    assert!(read == body, "other bytes came back");
}

#[test]
fn a_dropped_server_leaves_no_process() {
    let dir = tempfile::tempdir().unwrap();
    let server = SeaweedFs::start(dir.path()).unwrap();
    let process = std::path::PathBuf::from(format!("/proc/{}", server.pid().unwrap()));
    assert!(process.exists());
    drop(server);
    assert!(!process.exists());
}
