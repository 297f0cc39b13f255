use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Duration};

use tidegate_core::{BotName, Clock, Event, Glob, Grants, Metrics, RunName, Step, SystemClock, TargetName, Triggers};
use tidegate_engine::{Begin, BotInfo, BotSpec, Committed, Host, Options};
use tidegate_replica::Target;
use tidegate_sandbox::Sandbox;
use tidegate_store::Store;

/// No state is waited for longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A host in a directory.
pub(crate) struct Fixture {
    pub(crate) host: Host,
    pub(crate) dir: Arc<tempfile::TempDir>,
    /// What the host stands on, to damage it.
    pub(crate) store: Arc<Store>,
}

pub(crate) fn run() -> RunName {
    "r".parse().unwrap()
}

pub(crate) fn step(step: u64) -> Step {
    step.try_into().unwrap()
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::open(Arc::new(tempfile::tempdir().unwrap())).await
    }

    pub(crate) async fn open(dir: Arc<tempfile::TempDir>) -> Self {
        Self::open_by(dir, Arc::new(SystemClock::default())).await
    }

    /// A host whose time comes from this clock.
    pub(crate) async fn open_by(dir: Arc<tempfile::TempDir>, clock: Arc<dyn Clock>) -> Self {
        let (options, store, target, sandbox) = parts(&dir, clock.clone()).await;
        let host = Host::start(options, clock, store.clone(), target, sandbox).await.unwrap();
        Self { host, dir, store }
    }

    /// A host that knows of another what these events tell, and has its components.
    pub(crate) async fn recorded(of: &Self, events: Vec<Event>) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let (options, store, target, sandbox) = parts(&dir, clock.clone()).await;
        let host = Host::recorded(options, clock, store.clone(), target, sandbox).unwrap();
        for plugin in fs::read_dir(of.dir.path().join("plugins")).unwrap() {
            host.add_plugin(fs::read(plugin.unwrap().path()).unwrap().into()).await.unwrap();
        }
        host.learn(events).await.unwrap();
        Self { host, dir, store }
    }

    /// Stops the host and starts it again in its directory; `between` sees it while it is down.
    pub(crate) async fn restart(self, between: impl FnOnce(&Path)) -> Self {
        let dir = self.dir.clone();
        self.host.drain().await;
        drop((self.host, self.store));
        between(dir.path());
        Self::open(dir).await
    }

    pub(crate) async fn commit(&self, number: u64, rank: u64, world: u64, files: &[(&str, &[u8])]) -> Committed {
        let (rank, world_size) = (rank.try_into().unwrap(), world.try_into().unwrap());
        let begin = Begin { run: run(), step: step(number), rank, world_size, bytes: None, writer: None };
        let save = self.host.begin(begin).await.unwrap();
        for (name, bytes) in files {
            fs::write(save.path.join(name), bytes).unwrap();
        }
        let metrics = Metrics::try_from(BTreeMap::from([("loss".to_owned(), 1.0)])).unwrap();
        self.host.commit(&save.id, metrics).await.unwrap()
    }

    pub(crate) async fn install(&self, name: &str, component: Vec<u8>, grants: Grants, events: &[&str]) -> BotInfo {
        let plugin = self.host.add_plugin(component.into()).await.unwrap().digest;
        let events = events.iter().map(|kind| (*kind).to_owned()).collect();
        let triggers = Triggers { events, runs: vec![] };
        let spec = BotSpec { plugin, settings: serde_json::json!({}), grants, triggers, mode: Default::default() };
        self.host.install(name.parse().unwrap(), spec, Default::default()).await.unwrap()
    }

    pub(crate) async fn bot(&self, name: &str) -> BotInfo {
        self.host.bot(&name.parse::<BotName>().unwrap()).await.unwrap()
    }

    /// The first event that fits, waited for.
    pub(crate) async fn event(&self, fits: impl Fn(&Event) -> bool) -> Event {
        let mut after = 0;
        loop {
            let events = self.host.events(after, 1000, PATIENCE).await.unwrap();
            assert!(!events.is_empty(), "the event did not come");
            if let Some(found) = events.iter().find(|event| fits(event)) {
                return found.clone();
            }
            after = events.last().unwrap().seq;
        }
    }

    /// Waits until a bot has dealt with all events there are.
    pub(crate) async fn caught_up(&self, name: &str) -> BotInfo {
        let started = SystemClock::default();
        loop {
            let bot = self.bot(name).await;
            if bot.lag == 0 {
                return bot;
            }
            assert!(started.monotonic() < PATIENCE, "{name} does not catch up: {bot:?}");
            tokio::task::yield_now().await;
        }
    }

    /// Waits until a step is sealed.
    pub(crate) async fn sealed(&self, number: u64) {
        self.event(|e| e.kind.name() == "checkpoint-sealed" && about(e, number)).await;
    }
}

/// What a host in this directory is made of.
async fn parts(dir: &tempfile::TempDir, clock: Arc<dyn Clock>) -> (Options, Arc<Store>, Arc<Target>, Sandbox) {
    let mut options = tidegate_store::Options::new(dir.path().join("tier"), "h".parse().unwrap());
    options.reserve_bytes = 0;
    options.wanted_copies = 2;
    let at = clock.clone();
    let (store, _) = tokio::task::spawn_blocking(move || Store::open(options, at)).await.unwrap().unwrap();
    let url = format!("file://{}", dir.path().join("object").display());
    let name: TargetName = "default".parse().unwrap();
    let target = Target::open(name, &url, tidegate_replica::Options::default()).unwrap();
    // Compiled once for all tests: with a debug build that is what takes the time.
    let compiled = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    let sandbox = tidegate_sandbox::Options {
        instances: 4,
        deadline: Duration::from_millis(300),
        cache: Some(tidegate_sandbox::CacheOptions::new(compiled)),
        ..Default::default()
    };
    let options = Options {
        name: "h".parse().unwrap(),
        plugins: dir.path().join("plugins"),
        wanted_copies: 2,
        private: vec![dir.path().join("tier"), dir.path().join("object")],
        uploads: 2,
        deltas: 16,
        drain: Duration::from_secs(20),
    };
    let sandbox = Sandbox::new(sandbox).unwrap();
    (options, Arc::new(store), Arc::new(target), sandbox)
}

/// Whether an event is about this step of the run.
pub(crate) fn about(event: &Event, number: u64) -> bool {
    let text = serde_json::to_value(event).unwrap();
    text["step"] == number
}

/// May see everything and pin it.
pub(crate) fn pin_grants() -> Grants {
    let all = vec![Glob("*".into())];
    Grants { read: all.clone(), pin: all, ..Grants::default() }
}

/// May see everything and copy it.
pub(crate) fn replicate_grants() -> Grants {
    let all = vec![Glob("*".into())];
    Grants { read: all.clone(), replicate: all, targets: ["default".parse().unwrap()].into(), ..Grants::default() }
}

/// A bot that asks for a copy of each sealed checkpoint.
pub(crate) fn replicator() -> Vec<u8> {
    let top = r#"(import "tidegate:bot/replication@0.2.0" "replicate"
            (func $replicate (param i32 i32 i64 i32 i32 i32 i32 i32 i64 i32 i64 i32 i64 i32 i32 i32 i32)))
        (data (i32.const 100) "default") (data (i32.const 200) "test")"#;
    let handle = "(if (i32.eq (local.get $what) (i32.const 3)) (then
        (call $replicate (local.get $run) (local.get $run_len) (local.get $step) (i32.const 100) (i32.const 7)
            (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0) (i64.const 0) (i32.const 0) (i64.const 0)
            (i32.const 5) (i32.const 200) (i32.const 4) (i32.const 300))))";
    tidegate_tests_support::guest::component(top, handle).unwrap()
}
