//! A server that dies in the middle.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_shipping_that_lost_its_server_goes_on_where_it_was() {
    let mut server = Server::start();
    let target = target(&server.weed, &server.weed.endpoint(), |options| options.retries = 1);
    let shard = Shard::of_rank(0, 1);
    target.probe().await.unwrap();
    let (metrics, progress) = (Metrics::default(), Progress::new());
    let ship = target.ship(&shard.body, shard.digest, &metrics, shard.dir.path(), &progress);
    let kill = async {
        while progress.done() < 71_000 {
            tokio::task::yield_now().await;
        }
        server.weed.kill9();
    };
    let (ended, ()) = tokio::join!(ship, kill);
    if let Err(error) = &ended {
        assert!(error.retryable(), "{error}");
    }
    server.weed.restart().unwrap();
    persist(|| shard.ship(&target)).await;
    shard.check(&target).await.unwrap();
    drop(server.dir);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shipping_that_is_called_off_ends_and_can_be_taken_up_again() {
    let server = server();
    let server = &server.weed;
    let target = target(server, &server.endpoint(), |_| ());
    let shard = Shard::of_rank(0, 1);
    let (metrics, progress) = (Metrics::default(), Progress::new());
    let ship = target.ship(&shard.body, shard.digest, &metrics, shard.dir.path(), &progress);
    let cancel = async {
        while progress.done() == 0 {
            tokio::task::yield_now().await;
        }
        progress.cancel();
    };
    let (ended, ()) = tokio::join!(ship, cancel);
    assert!(matches!(ended, Err(Error::Cancelled)), "{ended:?}");
    let (run, step) = place();
    assert!(matches!(target.body(&run, step, shard.body.rank).await, Err(Error::Missing { .. })));
    let shipped = shard.ship(&target).await.unwrap();
    assert!(shipped.reused > 0 && shipped.verified == "checksum:crc64nvme+reread:blake3", "{shipped:?}");
    shard.check(&target).await.unwrap();
}
