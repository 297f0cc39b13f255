//! What a host that was killed in an upload has sent is not sent again.

use std::{net::SocketAddr, time::Duration};

use tidegate_tests_support::fault_proxy::{Fault, FaultPlan, FaultProxy, Rule, When};

use super::*;

/// A part on a server.
pub(super) const PART: u64 = 8 * MIB as u64;

/// One file of five parts that no codec makes smaller.
pub(super) fn shard() -> Shard {
    let mut shard = Shard::of_rank(3, 4);
    let mut bytes = vec![0; 5 * PART as usize - 4096];
    fastrand::Rng::with_seed(99).fill(&mut bytes);
    for entry in &shard.body.files {
        fs::remove_file(shard.dir.path().join(entry.path.as_path())).unwrap();
    }
    fs::write(shard.dir.path().join("large"), &bytes).unwrap();
    let mut hasher = FileHasher::new();
    hasher.update(&bytes);
    let (size, digest, blocks) = hasher.finish();
    shard.body.files = vec![FileEntry { path: "large".parse().unwrap(), size, digest, blocks }];
    shard.digest = Digest::of(&shard.body.encode().unwrap());
    shard
}

pub(super) fn notes(dir: &Path) -> usize {
    fs::read_dir(dir).map_or(0, |entries| entries.count())
}

/// Gets stuck at the fourth part, and is then dropped without a word, as by a kill.
async fn stuck(server: &Server, url: &str, layout: Layout, uploads: &Path, shard: &Shard) {
    let slow = Rule::new(Fault::Delay(Duration::from_secs(600)), When::Always).method("PUT").target("partNumber=4");
    let target = |endpoint: &str| {
        reach(url, endpoint, |options| (options.layout, options.uploads) = (layout, Some(uploads.to_owned())))
    };
    stuck_at(slow, server.weed.address(), target, uploads, shard).await;
}

/// The same at the request of the rule, for a target at the endpoint of the proxy before the server.
pub(super) async fn stuck_at(
    slow: Rule,
    server: SocketAddr,
    target: impl FnOnce(&str) -> Target,
    uploads: &Path,
    shard: &Shard,
) {
    let proxy = FaultProxy::start(server, FaultPlan::new(1)).unwrap();
    let target = target(&proxy.endpoint());
    target.probe().await.unwrap();
    proxy.set_plan(FaultPlan::new(1).rule(slow));
    let mut shipping = std::pin::pin!(shard.ship(&target));
    let three = || {
        let text = |entry: std::io::Result<fs::DirEntry>| fs::read_to_string(entry.unwrap().path()).unwrap();
        let noted = fs::read_dir(uploads).map_or(0, |mut all| all.next().map_or(0, |it| text(it).lines().count()));
        noted >= 5
    };
    let give_up = tokio::time::Instant::now() + Duration::from_secs(60);
    while !three() {
        assert!(tokio::time::Instant::now() < give_up, "four parts never came");
        let turn = tokio::time::timeout(Duration::from_millis(20), &mut shipping).await;
        assert!(turn.is_err(), "{turn:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_are_there_are_not_sent_again() {
    let server = server();
    for layout in [Layout::Plain, Layout::Packed] {
        let (shard, dir) = (shard(), tempfile::tempdir().unwrap());
        let url = format!("s3://{}/resume-{layout:?}", server.weed.bucket());
        stuck(&server, &url, layout, dir.path(), &shard).await;
        assert_eq!(notes(dir.path()), 1, "it is noted");
        let target = reach(&url, &server.weed.endpoint(), |options| {
            (options.layout, options.uploads) = (layout, Some(dir.path().to_owned()));
        });
        let shipped = shard.ship(&target).await.unwrap();
        assert!(shipped.bytes <= PART, "{shipped:?}: one part was lacking");
        assert_eq!(notes(dir.path()), 0, "and is noted no more");
        shard.check(&target).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_nobody_goes_on_with_is_collected_and_one_that_the_server_forgot_begins_anew() {
    let server = server();
    for layout in [Layout::Plain, Layout::Packed] {
        let (shard, dir) = (shard(), tempfile::tempdir().unwrap());
        let url = format!("s3://{}/left-{layout:?}", server.weed.bucket());
        stuck(&server, &url, layout, dir.path(), &shard).await;
        let kept = dir.path().join("kept");
        let note = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
        fs::copy(&note, &kept).unwrap();
        let target = reach(&url, &server.weed.endpoint(), |options| {
            (options.layout, options.uploads) = (layout, Some(dir.path().to_owned()));
        });
        assert_eq!(target.collect_uploads(Duration::from_secs(3600)).await.unwrap(), 0, "it is young");
        assert_eq!(target.collect_uploads(Duration::ZERO).await.unwrap(), 1);
        // The note comes back, and the upload that it tells of does not.
        fs::rename(&kept, &note).unwrap();
        persist(|| shard.ship(&target)).await;
        assert_eq!(notes(dir.path()), 0);
        shard.check(&target).await.unwrap();
    }
}
