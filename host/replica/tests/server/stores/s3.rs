//! S3 servers of other makes than the one that the other tests use.

use tidegate_replica::Verify;
use tidegate_tests_support::{
    loose::{self, Loose},
    swift::{self, Swift},
};

use super::*;

fn open(endpoint: &str, key: &str, secret: &str, prefix: &str, more: impl FnOnce(&mut Options)) -> Target {
    reach(&format!("s3://checkpoints/{prefix}"), endpoint, |options| {
        options.store.insert("access_key_id".into(), key.into());
        options.store.insert("secret_access_key".into(), secret.into());
        more(options);
    })
}

fn loosely(server: &Loose, prefix: &str, more: impl FnOnce(&mut Options)) -> Target {
    open(&server.endpoint(), loose::ACCESS_KEY, loose::SECRET_KEY, prefix, more)
}

#[tokio::test(flavor = "multi_thread")]
async fn seaweedfs_keeps_checkpoints() {
    let server = server();
    let url = |prefix: &str| format!("s3://{}/{prefix}", server.weed.bucket());
    let open = |prefix: &str, more: &mut dyn FnMut(&mut Options)| reach(&url(prefix), &server.weed.endpoint(), more);
    keeps_checkpoints(open, "checksum:crc64nvme").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_keeps_checkpoints_that_are_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let server = Loose::moto(dir.path()).unwrap();
    keeps_checkpoints(|prefix, more| loosely(&server, prefix, more), "reread:blake3").await;
    let refused = loosely(&server, "checksums", |options| options.verify = Verify::Checksum).probe().await.unwrap_err();
    assert!(refused.to_string().contains("took bytes that do not have their checksum"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rclone_is_refused_for_it_ignores_conditions() {
    let dir = tempfile::tempdir().unwrap();
    let server = Loose::rclone(dir.path()).unwrap();
    let refused = loosely(&server, "any", |_| ()).probe().await.unwrap_err();
    assert!(matches!(refused, Error::Config { .. }), "{refused}");
    assert!(refused.to_string().contains("ignores If-None-Match"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn swift_is_refused_for_it_lets_several_create_the_same_object() {
    let dir = tempfile::tempdir().unwrap();
    let server = Swift::start(dir.path()).unwrap();
    // It is a race: once in a hundred times it looks right.
    let mut refused = None;
    for _ in 0..5 {
        let target = open(&server.endpoint(), swift::ACCESS_KEY, swift::SECRET_KEY, "any", |_| ());
        refused = target.probe().await.err();
        if refused.is_some() {
            break;
        }
    }
    let refused = refused.expect("five times right");
    assert!(refused.to_string().contains("that come at once"), "{refused}");
}
