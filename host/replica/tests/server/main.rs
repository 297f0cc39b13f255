//! Behaviour against real servers, with and without faults on the way. Tests that run at the same time share one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "these are tests")]

mod budget;
mod faults;
mod outage;
mod plain;
mod resume;
mod stores;

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use tempfile::TempDir;
use tidegate_core::{Body, Digest, FileEntry, FileHasher, Metrics, RunName, Step};
use tidegate_replica::{Error, Layout, Options, Progress, RestoreOptions, Restored, Shipped, Source, Target, restore};
use tidegate_tests_support::seaweed::{ACCESS_KEY, SECRET_KEY, SeaweedFs};

/// The server, with its data below a folder that goes with it.
struct Server {
    weed: SeaweedFs,
    dir: TempDir,
}

impl Server {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { weed: SeaweedFs::start(dir.path()).unwrap(), dir }
    }
}

/// The server of the tests that run now; it goes with the last of them.
fn server() -> Arc<Server> {
    static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(Server::start());
        *shared = Arc::downgrade(&server);
        server
    })
}

/// A target of its own, reached through `endpoint`.
fn target(weed: &SeaweedFs, endpoint: &str, more: impl FnOnce(&mut Options)) -> Target {
    static NTH: AtomicU64 = AtomicU64::new(0);
    let url = format!("s3://{}/test-{}", weed.bucket(), NTH.fetch_add(1, Ordering::Relaxed));
    reach(&url, endpoint, more)
}

/// The target at this URL, reached through `endpoint`.
fn reach(url: &str, endpoint: &str, more: impl FnOnce(&mut Options)) -> Target {
    let mut options = Options { part_bytes: 1, retries: 3, layout: Layout::Plain, ..Options::default() };
    let settings = [
        ("endpoint", endpoint),
        ("allow_http", "true"),
        ("region", "us-east-1"),
        ("access_key_id", ACCESS_KEY),
        ("secret_access_key", SECRET_KEY),
    ];
    options.store.extend(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
    more(&mut options);
    Target::open("server".parse().unwrap(), url, options).unwrap()
}

const MIB: usize = 1 << 20;

/// A sealed shard in a directory of its own: files that go in one request, and one of two parts.
struct Shard {
    dir: TempDir,
    body: Body,
    digest: Digest,
}

impl Shard {
    fn of_rank(rank: u64, world: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(rank);
        let sizes = [("a/empty", 0), ("a/small", 1000), ("b", 70_000), ("c", 4 * MIB + 3), ("large", 9 * MIB + 5)];
        let files = sizes.map(|(path, len)| {
            let mut bytes = vec![0; len];
            random.fill(&mut bytes);
            (path, bytes)
        });
        Self::of(place().1, rank, world, files)
    }

    fn of<const N: usize>(step: Step, rank: u64, world: u64, files: [(&str, Vec<u8>); N]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = files.map(|(path, bytes)| {
            let mut hasher = FileHasher::new();
            hasher.update(&bytes);
            let place = dir.path().join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, bytes).unwrap();
            let (size, digest, blocks) = hasher.finish();
            FileEntry { path: path.parse().unwrap(), size, digest, blocks }
        });
        let (rank, world_size) = (rank.try_into().unwrap(), world.try_into().unwrap());
        let body = Body { version: Body::VERSION, run: place().0, step, rank, world_size, files: files.into() };
        let digest = Digest::of(&body.encode().unwrap());
        Self { dir, body, digest }
    }

    async fn ship(&self, target: &Target) -> Result<Shipped, Error> {
        let metrics = Metrics::try_from(BTreeMap::from([("loss".to_owned(), 0.5)])).unwrap();
        target.ship(&self.body, self.digest, &metrics, self.dir.path(), &Progress::new()).await
    }

    /// Restores from the target alone and compares every byte.
    async fn check(&self, target: &Target) -> Result<Restored, Error> {
        let dir = tempfile::tempdir().unwrap();
        let into = dir.path().join("restored");
        let sources = [Source::Target(target)];
        let result = restore(&self.body, &sources, &into, RestoreOptions::default(), &Progress::new()).await;
        if result.is_ok() {
            for entry in &self.body.files {
                let read = |root: &Path| fs::read(root.join(entry.path.as_path())).unwrap();
                assert!(read(self.dir.path()) == read(&into), "{}", entry.path);
            }
            fs::remove_dir_all(into).unwrap();
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left behind");
        result
    }
}

fn place() -> (RunName, Step) {
    ("gpt".parse().unwrap(), 7.try_into().unwrap())
}

/// Goes on as a job does: again while it may help.
async fn persist<T, F: Future<Output = Result<T, Error>>>(mut call: impl FnMut() -> F) -> T {
    let mut failures = 0;
    loop {
        match call().await {
            Ok(done) => return done,
            Err(error) if error.retryable() && failures < 20 => failures += 1,
            Err(error) => panic!("after {failures} failures: {error}"),
        }
    }
}
