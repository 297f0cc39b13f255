//! With faults on the way, both ways: nothing that was acknowledged is lost, nothing wrong is restored.

use tidegate_replica::Verify;
use tidegate_tests_support::fault_proxy::{Fault, FaultPlan, FaultProxy, Rule, When};

use super::*;

fn proxy(server: &Server, plan: FaultPlan) -> FaultProxy {
    FaultProxy::start(server.weed.address(), plan).unwrap()
}

/// What surely happens, whatever the order of the requests: the fault strikes the first two of those that carry the bytes
/// of a file, in the direction that it is for. Fewer than the tries that bytes get, which are four.
fn surely(fault: &Fault, layout: Layout) -> Rule {
    let answered = matches!(fault, Fault::ResetDuringResponse | Fault::TruncateResponse | Fault::CorruptResponse);
    Rule::new(fault.clone(), When::First(2)).method(if answered { "GET" } else { "PUT" }).target(below(layout))
}

/// Part of the names of the objects that hold bytes of files.
fn below(layout: Layout) -> &'static str {
    match layout {
        Layout::Plain => "/data/",
        Layout::Packed => "/packs/",
    }
}

/// The same by chance, to any request: only what is answered with an error is asked for as often as it takes.
fn now_and_then(fault: &Fault, often: f64) -> Rule {
    Rule::new(fault.clone(), When::Probability(often))
}

/// Ships a checkpoint through faults, and looks at it both through them and past them.
async fn survive(fault: Fault, more: impl FnOnce(&Fault) -> Vec<Rule>) {
    let (server, seed, fault) = (server(), fastrand::u64(..), &fault);
    // Chance decides which: both at each run would take as long again.
    let layout = if seed % 2 == 0 { Layout::Packed } else { Layout::Plain };
    println!("{layout:?}, seed {seed}");
    let plan = more(fault).into_iter().fold(FaultPlan::new(seed).rule(surely(fault, layout)), FaultPlan::rule);
    let proxy = proxy(&server, plan);
    let url = format!("s3://{}/faults-{}-{seed}", server.weed.bucket(), fault.name());
    let through = reach(&url, &proxy.endpoint(), |options| options.layout = layout);
    let past = reach(&url, &server.weed.endpoint(), |options| options.layout = layout);
    let (run, step) = place();
    let shards = [0, 1].map(|rank| Shard::of_rank(rank, 2));
    for shard in &shards {
        let shipped = persist(|| shard.ship(&through)).await;
        assert!(shipped.verified.starts_with("checksum"), "{shipped:?}");
        shard.check(&past).await.unwrap();
    }
    assert!(persist(|| through.mark_complete(&run, step)).await);
    assert_eq!(past.scan(Some(&run)).await.unwrap().len(), 1);
    for shard in &shards {
        let body = persist(|| through.body(&run, step, shard.body.rank)).await;
        assert_eq!(body, (shard.body.clone(), shard.digest));
        persist(|| shard.check(&through)).await;
    }
    println!("{}", proxy.counts());
    assert!(proxy.counts().of(fault.name()) >= 2, "{}", proxy.counts());
    persist(|| through.delete(&run, step)).await;
    persist(|| through.delete(&run, step)).await;
    assert!(past.scan(Some(&run)).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_often_busy_gets_everything_in_the_end() {
    // Each that names a time holds everything up for it: those by chance name none.
    let busy = Fault::SlowDown { retry_after: None };
    survive(Fault::SlowDown { retry_after: Some(1) }, |_| vec![now_and_then(&busy, 0.3)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_break_before_the_request_lose_nothing() {
    survive(Fault::ResetBeforeRequest, |fault| vec![now_and_then(fault, 0.2)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_get_lost_lose_nothing_and_cause_no_conflict() {
    survive(Fault::ResetBeforeResponse, |fault| vec![now_and_then(fault, 0.2)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_break_off_are_never_taken_for_whole() {
    survive(Fault::ResetDuringResponse, |fault| vec![now_and_then(fault, 0.15)]).await;
    survive(Fault::TruncateResponse, |fault| vec![now_and_then(fault, 0.15)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_damaged_on_the_way_there_are_refused_by_the_server() {
    survive(Fault::CorruptRequest, |fault| vec![now_and_then(fault, 0.2)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_damaged_on_the_way_back_are_asked_for_again() {
    // Never by chance in the bytes of a file: the fourth time in a row they count as damaged where they are.
    let more = |fault: &Fault| {
        [".cbor", "list-type="].map(|of| Rule::new(fault.clone(), When::First(2)).method("GET").target(of)).into()
    };
    survive(Fault::CorruptResponse, more).await;
}

/// One damaged byte in a request that goes in one piece, and one in a part.
#[tokio::test(flavor = "multi_thread")]
async fn a_single_flipped_byte_is_caught_in_a_put_and_in_a_part() {
    let server = server();
    for place in ["/data/", "partNumber="] {
        for verify in [Verify::Checksum, Verify::Reread] {
            let proxy = proxy(&server, FaultPlan::new(1));
            let target = target(&server.weed, &proxy.endpoint(), |options| options.verify = verify);
            target.probe().await.unwrap();
            let flip = Rule::new(Fault::CorruptRequest, When::First(1)).method("PUT").target(place);
            proxy.set_plan(FaultPlan::new(2).rule(flip));
            let shard = Shard::of_rank(0, 1);
            let shipped = shard.ship(&target).await.unwrap();
            assert_eq!(proxy.counts().of("corrupt_request"), 1);
            // Where the server refuses it, only that request is repeated; where it is read back, the whole object is.
            let again = shipped.bytes > shard.body.bytes();
            assert_eq!(again, verify == Verify::Reread, "{place} {shipped:?}");
            shard.check(&target).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_always_busy_is_a_passing_error_and_nothing_counts() {
    let server = server();
    let proxy = proxy(&server, FaultPlan::new(3));
    let target = target(&server.weed, &proxy.endpoint(), |options| options.retries = 1);
    let shard = Shard::of_rank(0, 1);
    target.probe().await.unwrap();
    proxy.set_plan(FaultPlan::new(3).rule(Rule::new(Fault::SlowDown { retry_after: None }, When::Always)));
    let refused = shard.ship(&target).await.unwrap_err();
    assert!(refused.retryable(), "{refused}");
    assert!(target.scan(None).await.unwrap_err().retryable());
    assert!(shard.check(&target).await.unwrap_err().retryable());
    proxy.set_plan(FaultPlan::new(3));
    let (run, step) = place();
    assert!(matches!(target.body(&run, step, shard.body.rank).await, Err(Error::Missing { .. })));
    shard.ship(&target).await.unwrap();
    shard.check(&target).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_always_come_back_wrong_are_never_restored() {
    let server = server();
    let proxy = proxy(&server, FaultPlan::new(4));
    let target = target(&server.weed, &proxy.endpoint(), |_| ());
    let shard = Shard::of_rank(0, 1);
    shard.ship(&target).await.unwrap();
    proxy.set_plan(
        FaultPlan::new(4).rule(Rule::new(Fault::CorruptResponse, When::Always).method("GET").target("/data/")),
    );
    let error = shard.check(&target).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
}
