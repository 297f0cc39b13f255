//! Each fault as an S3 client sees it, with a real client and a real server.
#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::time::Duration;

use bytes::Bytes;
use object_store::{
    ObjectStoreExt, RetryConfig,
    aws::{AmazonS3, Checksum},
    path::Path,
};
use tempfile::TempDir;
use tidegate_tests_support::{
    fault_proxy::{Fault, FaultPlan, FaultProxy, Rule, When},
    seaweed::SeaweedFs,
};

const KEY: &str = "runs/gpt/block";

/// A server with a proxy before it; `direct` goes around the proxy.
struct World {
    proxy: FaultProxy,
    direct: AmazonS3,
    server: SeaweedFs,
    _dir: TempDir,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = SeaweedFs::start(dir.path()).unwrap();
        let proxy = FaultProxy::start(server.address(), FaultPlan::new(1)).unwrap();
        let direct = server.client(&server.endpoint()).build().unwrap();
        Self { proxy, direct, server, _dir: dir }
    }

    /// A client of the proxy that tries so many times again.
    fn client(&self, max_retries: usize) -> AmazonS3 {
        let retry = RetryConfig { max_retries, ..RetryConfig::default() };
        self.server.client(&self.proxy.endpoint()).with_retry(retry).build().unwrap()
    }

    fn inject(&self, fault: Fault, when: When, method: &str) {
        self.proxy.set_plan(FaultPlan::new(1).rule(Rule::new(fault, when).method(method).target(KEY)));
    }

    async fn get(&self, client: &AmazonS3) -> object_store::Result<Bytes> {
        client.get(&Path::from(KEY)).await?.bytes().await
    }

    async fn put(&self, client: &AmazonS3, body: &Bytes) -> object_store::Result<()> {
        client.put(&Path::from(KEY), body.clone().into()).await.map(drop)
    }
}

fn body() -> Bytes {
    (0..1_000_000_u32).map(|i| u8::try_from(i % 251).unwrap()).collect()
}

#[tokio::test]
async fn without_a_plan_everything_passes_unchanged() {
    let world = World::new();
    let client = world.client(0);
    world.put(&client, &body()).await.unwrap();
    assert_eq!(client.head(&Path::from(KEY)).await.unwrap().size, 1_000_000);
    assert!(world.get(&client).await.unwrap() == body());
    assert!(world.proxy.counts().requests >= 3);
    assert_eq!(world.proxy.counts().total(), 0);
}

#[tokio::test]
async fn a_multipart_upload_passes_through_slow_downs() {
    let world = World::new();
    let rule = Rule::new(Fault::SlowDown { retry_after: None }, When::Probability(0.3));
    world.proxy.set_plan(FaultPlan::new(3).rule(rule));
    let client = world.client(20);
    let mut upload = client.put_multipart(&Path::from(KEY)).await.unwrap();
    let part = Bytes::from(vec![9_u8; 5 << 20]);
    for _ in 0..3 {
        upload.put_part(part.clone().into()).await.unwrap();
    }
    upload.complete().await.unwrap();
    assert!(world.proxy.counts().of("slow_down") > 0, "{}", world.proxy.counts());
    assert_eq!(world.get(&world.direct).await.unwrap().len(), 15 << 20);
}

#[tokio::test]
async fn slow_down_is_a_503_and_never_reaches_the_server() {
    let world = World::new();
    world.inject(Fault::SlowDown { retry_after: Some(1) }, When::Always, "PUT");
    let error = world.put(&world.client(0), &body()).await.unwrap_err();
    assert!(format!("{error:?}").contains("503"), "{error:?}");
    assert!(matches!(world.get(&world.direct).await, Err(object_store::Error::NotFound { .. })));
    assert_eq!(world.proxy.counts().of("slow_down"), 1);
}

#[tokio::test]
async fn a_reset_before_the_request_leaves_nothing_and_one_before_the_response_leaves_the_object() {
    let world = World::new();
    world.inject(Fault::ResetBeforeRequest, When::Always, "PUT");
    world.put(&world.client(0), &body()).await.unwrap_err();
    assert!(matches!(world.get(&world.direct).await, Err(object_store::Error::NotFound { .. })));

    world.inject(Fault::ResetBeforeResponse, When::Always, "PUT");
    world.put(&world.client(0), &body()).await.unwrap_err();
    assert!(world.get(&world.direct).await.unwrap() == body());
    assert_eq!(world.proxy.counts().of("reset_before_request"), 1);
    assert_eq!(world.proxy.counts().of("reset_before_response"), 1);
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_an_error_and_never_a_short_body() {
    let world = World::new();
    world.put(&world.direct, &body()).await.unwrap();
    for (fault, name) in
        [(Fault::ResetDuringResponse, "reset_during_response"), (Fault::TruncateResponse, "truncate_response")]
    {
        world.inject(fault, When::Always, "GET");
        world.get(&world.client(0)).await.unwrap_err();
        assert_eq!(world.proxy.counts().of(name), 1);
    }
}

#[tokio::test]
async fn a_corrupt_response_differs_in_one_byte_and_the_client_does_not_notice() {
    let world = World::new();
    world.put(&world.direct, &body()).await.unwrap();
    world.inject(Fault::CorruptResponse, When::First(1), "GET");
    let client = world.client(0);
    let read = world.get(&client).await.unwrap();
    let differences = read.iter().zip(body()).filter(|(a, b)| **a != *b).count();
    assert_eq!((read.len(), differences), (1_000_000, 1));
    assert!(world.get(&client).await.unwrap() == body());
    assert_eq!(world.proxy.counts().of("corrupt_response"), 1);
}

/// This server does not check the digest of the payload that a signature covers.
#[tokio::test]
async fn a_corrupt_request_without_a_checksum_is_stored() {
    let world = World::new();
    world.inject(Fault::CorruptRequest, When::First(1), "PUT");
    world.put(&world.client(0), &body()).await.unwrap();
    let stored = world.get(&world.direct).await.unwrap();
    assert_eq!(stored.iter().zip(body()).filter(|(a, b)| **a != *b).count(), 1);
}

#[tokio::test]
async fn a_corrupt_request_is_refused_when_it_carries_a_checksum() {
    let world = World::new();
    world.inject(Fault::CorruptRequest, When::Always, "PUT");
    for checksum in [Checksum::SHA256, Checksum::CRC64NVME] {
        let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        let client = world.server.client(&world.proxy.endpoint()).with_retry(retry);
        let client = client.with_checksum_algorithm(checksum).build().unwrap();
        let error = world.put(&client, &body()).await.unwrap_err();
        assert!(format!("{error:?}").contains("BadDigest"), "{error:?}");

        let mut upload = client.put_multipart(&Path::from(KEY)).await.unwrap();
        let error = upload.put_part(body().into()).await.unwrap_err();
        assert!(format!("{error:?}").contains("BadDigest"), "{error:?}");
        upload.abort().await.unwrap();
    }
    assert_eq!(world.proxy.counts().of("corrupt_request"), 4);
    assert!(matches!(world.get(&world.direct).await, Err(object_store::Error::NotFound { .. })));
}

#[tokio::test]
async fn a_delay_holds_a_request_up_and_no_more() {
    let world = World::new();
    world.inject(Fault::Delay(Duration::from_millis(50)), When::Always, "PUT");
    world.put(&world.client(0), &body()).await.unwrap();
    assert_eq!(world.proxy.counts().of("delay"), 1);
    assert_eq!(world.proxy.counts().total(), 0);
}
