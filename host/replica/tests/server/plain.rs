//! Without faults.

use tidegate_replica::Verify;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_damaged_bytes_is_trusted_with_checksums() {
    let server = server();
    let server = &server.weed;
    let target = target(server, &server.endpoint(), |options| options.verify = Verify::Checksum);
    target.probe().await.unwrap();
    let shard = Shard::of_rank(0, 1);
    let shipped = shard.ship(&target).await.unwrap();
    assert_eq!((shipped.bytes, &*shipped.verified), (shard.body.bytes(), "checksum:crc64nvme"));
    assert_eq!(shard.check(&target).await.unwrap().object, shard.body.bytes());
    assert_eq!(shard.ship(&target).await.unwrap().reused, shard.body.bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_of_verifying_brings_the_bytes_back() {
    let server = server();
    let server = &server.weed;
    for (verify, text) in [(Verify::Reread, "reread:blake3"), (Verify::Size, "size"), (Verify::Auto, "checksum:sha256")]
    {
        let target = target(server, &server.endpoint(), |options| {
            options.verify = verify;
            if verify == Verify::Auto {
                options.store.insert("checksum_algorithm".into(), "sha256".into());
            }
        });
        let shard = Shard::of_rank(0, 1);
        assert_eq!(shard.ship(&target).await.unwrap().verified, text);
        shard.check(&target).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_marked_found_by_a_fresh_host_and_deleted() {
    let server = server();
    let server = &server.weed;
    let target = target(server, &server.endpoint(), |_| ());
    let shards = [0, 1].map(|rank| Shard::of_rank(rank, 2));
    let (run, step) = place();
    shards[1].ship(&target).await.unwrap();
    assert!(!target.mark_complete(&run, step).await.unwrap());
    shards[0].ship(&target).await.unwrap();
    assert!(target.mark_complete(&run, step).await.unwrap());
    let found = target.scan(None).await.unwrap();
    assert_eq!((found.len(), found[0].step, found[0].shards[1].body), (1, step, shards[1].digest));
    assert!(found[0].metrics.get("loss").is_some() && found[0].created.0 > 0);
    for shard in &shards {
        let (body, digest) = target.body(&run, step, shard.body.rank).await.unwrap();
        assert_eq!((&body, digest), (&shard.body, shard.digest));
    }
    assert!(target.delete(&run, step).await.unwrap() > shards[0].body.bytes() * 2);
    assert!(target.scan(None).await.unwrap().is_empty());
    assert!(shards[0].check(&target).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_uploaders_of_other_bytes_leave_one_whole_shard() {
    let server = server();
    let server = &server.weed;
    let target = target(server, &server.endpoint(), |_| ());
    two_uploaders_leave_one(&target).await;
}

pub(super) async fn two_uploaders_leave_one(target: &Target) {
    let (one, mut other) = (Shard::of_rank(0, 1), Shard::of_rank(1, 2));
    // The same rank with other bytes.
    other.body.rank = one.body.rank;
    other.body.world_size = one.body.world_size;
    other.digest = Digest::of(&other.body.encode().unwrap());
    let (first, second) = tokio::join!(one.ship(target), other.ship(target));
    let winner = match (first, second) {
        (Ok(_), Err(Error::Conflict { .. })) => one,
        (Err(Error::Conflict { .. }), Ok(_)) => other,
        both => panic!("{both:?}"),
    };
    winner.check(target).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_are_an_error_that_does_not_repeat_them() {
    let server = server();
    let server = &server.weed;
    let target = target(server, &server.endpoint(), |options| {
        options.store.insert("secret_access_key".into(), "not-the-secret".into());
    });
    let error = target.probe().await.unwrap_err().to_string();
    assert!(!error.contains("not-the-secret") && !error.contains(&format!("Id>{ACCESS_KEY}<")), "{error}");
}
