//! Directories keep to their rates too, block by block.

use crate::{Limits, Rate};

use super::*;

#[tokio::test]
async fn every_byte_of_a_directory_is_counted_both_ways() {
    each(|target| async move {
        let (shard, into) = (Shard::mixed(), Into::new());
        let shipped = shard.ship(&target).await.unwrap();
        assert_eq!(target.figures().upload.granted, shipped.bytes);
        let before = target.figures().download.granted;
        let restored = bring(&shard, &[Source::Target(&target)], &into).await.unwrap();
        assert_eq!(target.figures().download.granted - before, restored.object);
        let urgent: u64 = target.granted(Rate::Download).iter().map(|slot| slot.urgent).sum();
        assert_eq!(urgent, restored.object, "a restore is urgent");
    })
    .await;
}

#[tokio::test]
async fn a_directory_keeps_to_a_rate_that_can_be_changed() {
    let limits = Limits { upload_rate: (1 << 20).try_into().ok(), ..Limits::default() };
    each(|target| async move {
        target.set_limits(limits);
        let shard = Shard::mixed();
        let shipping = shard.ship(&target);
        tokio::pin!(shipping);
        let some = async {
            while target.figures().upload.granted < 200_000 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            shipped = &mut shipping => panic!("16 MiB at 1 MiB a second: {shipped:?}"),
            () = some => {}
        }
        assert_eq!(target.limits(), limits);
        target.set_limits(Limits::default());
        shipping.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_transfer_that_waits_for_its_turn_can_be_called_off() {
    each(|target| async move {
        target.set_limits(Limits { upload_rate: 1.try_into().ok(), ..Limits::default() });
        let (shard, progress) = (Shard::mixed(), Progress::new());
        let (metrics, dir) = (metrics(0.5), shard.dir.path());
        let ship = target.ship(&shard.body, shard.digest, &metrics, dir, &progress);
        let cancel = async {
            while target.figures().upload.waiting == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            progress.cancel();
        };
        let (shipped, ()) = tokio::join!(ship, cancel);
        assert!(matches!(shipped, Err(Error::Cancelled)), "{shipped:?}");
        assert_eq!(target.figures().upload.waiting, 0);
    })
    .await;
}

#[tokio::test]
async fn a_job_has_a_rate_of_its_own() {
    each(|target| async move {
        let (shard, progress) = (Shard::mixed(), Progress::of_upload(3, Some(1)));
        let (metrics, dir) = (metrics(0.5), shard.dir.path());
        let ship = target.ship(&shard.body, shard.digest, &metrics, dir, &progress);
        let waits = tokio::time::timeout(std::time::Duration::from_millis(200), ship).await;
        assert!(waits.is_err(), "a byte a second: {waits:?}");
        assert!(target.figures().upload.granted < 10);
        shard.ship(&target).await.unwrap();
    })
    .await;
}
