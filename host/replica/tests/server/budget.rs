//! What a target may use, on a real server. What is checked is what was granted and in which order, not how long it took:
//! a slow machine passes too.

use std::time::Duration;

use tidegate_replica::{Figures, Limits, Rate, Slot, Verify};
use tidegate_tests_support::fault_proxy::{Fault, FaultPlan, FaultProxy, Rule, When};

use super::*;

/// Waits for a state of the target.
async fn until(target: &Target, what: &str, is: impl Fn(&Target) -> bool) {
    for _ in 0..6000 {
        if is(target) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} never came: {:?}", target.figures());
}

fn limits(upload: u64, download: u64) -> Limits {
    Limits { upload_rate: upload.try_into().ok(), download_rate: download.try_into().ok(), requests: None }
}

/// The most of any second, in parts of the rate.
fn busiest(slots: &[Slot], rate: u64) -> f64 {
    let second = |from: &Slot| {
        let within = slots.iter().filter(|slot| (from.nth..from.nth + 10).contains(&slot.nth));
        within.map(Slot::all).sum::<u64>() as f64 / rate as f64
    };
    slots.iter().map(second).fold(0.0, f64::max)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_second_gets_more_than_the_cap_either_way() {
    let (server, shard, rate) = (server(), Shard::of_rank(0, 1), 3 << 20);
    let capped = target(&server.weed, &server.weed.endpoint(), |options| {
        (options.upload_rate, options.download_rate) = (rate.try_into().ok(), rate.try_into().ok());
    });
    shard.ship(&capped).await.unwrap();
    shard.check(&capped).await.unwrap();
    let Figures { upload, download, .. } = capped.figures();
    for (rate_of, figures) in [(Rate::Upload, upload), (Rate::Download, download)] {
        let slots = capped.granted(rate_of);
        let (sum, busiest) = (slots.iter().map(Slot::all).sum::<u64>(), busiest(&slots, rate));
        println!("{rate_of:?}: {figures:?}, the busiest second {busiest:.4}");
        assert!(sum >= shard.body.bytes() && sum == figures.granted && figures.waits > 0, "{figures:?}");
        assert!(busiest <= 1.05, "{busiest}");
        let seconds = (slots.last().unwrap().nth - slots[0].nth + 1) as f64 / 10.0;
        assert!(seconds >= sum as f64 / rate as f64 - 0.05, "{sum} bytes in {seconds} s");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_cap_holds_for_a_part_that_is_on_the_way() {
    let (server, shard) = (server(), Shard::of_rank(0, 1));
    let slow = limits(64 << 10, 64 << 10);
    let capped = target(&server.weed, &server.weed.endpoint(), |options| {
        (options.upload_rate, options.download_rate) = (slow.upload_rate, slow.download_rate);
        options.deadline = Duration::from_secs(4);
    });
    let shipping = shard.ship(&capped);
    tokio::pin!(shipping);
    tokio::select! {
        shipped = &mut shipping => panic!("13 MiB at 64 KiB a second: {shipped:?}"),
        // Longer than a request may take: what it waits for its turn does not count.
        () = until(&capped, "5 seconds at the rate", |it| it.figures().upload.granted >= 330 << 10) => {}
    }
    assert_eq!(capped.limits(), slow);
    capped.set_limits(Limits::default());
    let shipped = shipping.await.unwrap();
    assert_eq!(shipped.bytes, shard.body.bytes());
    assert_eq!(capped.figures().cuts, 0, "nothing has timed out");
    shard.check(&capped).await.unwrap();
}

/// A check of a shard reads it back, a restore of another goes before it.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_gets_its_bytes_before_a_check_that_began_earlier() {
    let (server, rate) = (server(), 2 << 20);
    let reread = |options: &mut Options| options.verify = Verify::Reread;
    let capped = target(&server.weed, &server.weed.endpoint(), reread);
    let [bulk, wanted] = [0, 1].map(|rank| Shard::of_rank(rank, 2));
    bulk.ship(&capped).await.unwrap();
    wanted.ship(&capped).await.unwrap();
    capped.set_limits(limits(1 << 30, rate));
    let before = capped.figures().download.granted;
    let metrics = Metrics::try_from(BTreeMap::from([("loss".to_owned(), 0.5)])).unwrap();
    let (progress, restored) = (Progress::of_upload(0, None), Progress::new());
    let mend = capped.mend(&bulk.body, bulk.digest, &metrics, bulk.dir.path(), &progress);
    let restore = async {
        until(&capped, "the check", |it| it.figures().download.granted > before + (256 << 10)).await;
        let began = capped.granted(Rate::Download).last().unwrap().nth;
        let dir = tempfile::tempdir().unwrap();
        let (into, options) = (dir.path().join("restored"), RestoreOptions::default());
        let sources = [Source::Target(&capped)];
        tidegate_replica::restore(&wanted.body, &sources, &into, options, &restored).await.unwrap();
        let slots = capped.granted(Rate::Download);
        let ended = slots.iter().rev().find(|slot| slot.urgent > 0).unwrap().nth;
        let during: Vec<_> = slots.into_iter().filter(|slot| slot.nth > began + 1 && slot.nth < ended).collect();
        let urgent = during.iter().map(|slot| slot.urgent).sum::<u64>();
        let all = during.iter().map(Slot::all).sum::<u64>();
        println!("{urgent} of {all} bytes in {} tenths of a second", during.len());
        assert!(urgent as f64 >= 0.85 * all as f64, "the restore got {urgent} of {all}");
        assert!(urgent < all, "the check was not starved");
        capped.set_limits(Limits::default());
        progress.done()
    };
    let (mended, done) = tokio::join!(mend, restore);
    mended.unwrap();
    assert!(done < bulk.body.bytes(), "the check went on behind the restore");
}

/// The same for uploads, of two replications.
#[tokio::test(flavor = "multi_thread")]
async fn a_replication_of_a_higher_priority_overtakes_one_that_began_earlier() {
    let server = server();
    let capped = target(&server.weed, &server.weed.endpoint(), |options| {
        options.upload_rate = (4_u64 << 20).try_into().ok();
    });
    let [bulk, wanted] = [0, 1].map(|rank| Shard::of_rank(rank, 2));
    let metrics = Metrics::try_from(BTreeMap::from([("loss".to_owned(), 0.5)])).unwrap();
    let [low, high] = [2, 7].map(|priority| Progress::of_upload(priority, None));
    let first = capped.ship(&bulk.body, bulk.digest, &metrics, bulk.dir.path(), &low);
    let second = async {
        until(&capped, "the first", |it| it.figures().upload.granted > 256 << 10).await;
        capped.ship(&wanted.body, wanted.digest, &metrics, wanted.dir.path(), &high).await.unwrap();
        assert!(low.done() < bulk.body.bytes(), "the first was overtaken");
        capped.set_limits(Limits::default());
    };
    let (first, ()) = tokio::join!(first, second);
    first.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_names_a_time_hears_nothing_before() {
    let (server, shard) = (server(), Shard::of_rank(0, 1));
    // The manifest goes alone: nothing else is on the wire when it is refused.
    let rule = Rule::new(Fault::SlowDown { retry_after: Some(2) }, When::First(1)).method("PUT").target(".cbor");
    let proxy = FaultProxy::start(server.weed.address(), FaultPlan::new(1).rule(rule)).unwrap();
    let through = target(&server.weed, &proxy.endpoint(), |_| ());
    let others = async {
        until(&through, "the refusal", |it| it.figures().throttled == 1).await;
        through.steps(&place().0).await.unwrap();
    };
    let (shipped, ()) = tokio::join!(shard.ship(&through), others);
    shipped.unwrap();
    let (counts, figures) = (proxy.counts(), through.figures());
    println!("{counts}; {figures:?}");
    assert_eq!((counts.of("slow_down"), figures.throttled), (1, 1));
    assert_eq!(counts.early, 0, "nobody came before the time");
    shard.check(&through).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_on_the_way_come_down_to_what_the_server_bears() {
    let (server, shard) = (server(), Shard::of_rank(0, 1));
    let busy = Rule::new(Fault::SlowDown { retry_after: None }, When::Beyond(2));
    let plan = FaultPlan::new(1).rule(Rule::new(Fault::Delay(Duration::from_millis(20)), When::Always)).rule(busy);
    let proxy = FaultProxy::start(server.weed.address(), plan).unwrap();
    let through = target(&server.weed, &proxy.endpoint(), |options| options.retries = 10);
    shard.ship(&through).await.unwrap();
    for _ in 0..4 {
        shard.check(&through).await.unwrap();
    }
    let (counts, figures) = (proxy.counts(), through.figures());
    println!("{counts}, at most {} at once; {figures:?}", counts.most);
    assert_eq!(figures.throttled, counts.of("slow_down"));
    assert!(figures.cuts > 0 && figures.limit <= 4, "{figures:?}");
    assert!(figures.throttled * 2 < counts.requests, "most got through: {counts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_keep_to_their_rate() {
    let (server, shard) = (server(), Shard::of_rank(0, 1));
    let capped = target(&server.weed, &server.weed.endpoint(), |options| options.requests = 20.try_into().ok());
    shard.ship(&capped).await.unwrap();
    shard.check(&capped).await.unwrap();
    let (slots, figures) = (capped.granted(Rate::Requests), capped.figures().requests);
    assert_eq!(slots.iter().map(Slot::all).sum::<u64>(), figures.granted);
    assert!(figures.waits > 0 && busiest(&slots, 20) <= 1.05, "{figures:?} {}", busiest(&slots, 20));
}
