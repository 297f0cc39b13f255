//! A host that is played tricks on, and what must hold after each.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_api::{Bot, Checkpoint, Committed, Event, Page, Problem, Save};
use tidegate_tests_support::{
    host::{Options, TidegateProcess},
    http::{Request, Response},
    wait,
};

/// For anything that must come to be.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A running host with its two bots.
pub(crate) struct Site {
    folder: TempDir,
    pub(crate) host: TidegateProcess,
}

impl Site {
    pub(crate) fn start() -> Self {
        Self::start_with(|options| options)
    }

    /// With other options.
    pub(crate) fn start_with(options: impl FnOnce(Options) -> Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let host = options(Options::dev(&folder.path().join("host"))).start().unwrap();
        Self { folder, host }
    }

    /// A folder of the test's own beside the host's, on the same file system.
    pub(crate) fn outside(&self) -> PathBuf {
        let outside = self.folder.path().join("outside");
        fs::create_dir_all(&outside).unwrap();
        outside
    }

    pub(crate) fn tier(&self) -> PathBuf {
        self.host.dir().join("tier")
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: &[u8], content_type: Option<&str>) -> Response {
        let timeout = Duration::from_secs(120);
        self.host.send(&Request { content_type, body, timeout, ..Request::new(method, path) }).unwrap()
    }

    /// A request that must be refused with this code, in the form that every error has.
    pub(crate) fn refused(&self, code: &str, method: &str, path: &str, body: &Value) -> Problem {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let response = self.send(method, path, text.as_bytes(), Some("application/json"));
        check(&response, code, &format!("{method} {path} {text:.200}"))
    }

    /// A request that must be answered.
    pub(crate) fn done<T: DeserializeOwned>(&self, method: &str, path: &str, body: &Value) -> T {
        let response = self.send(method, path, body.to_string().as_bytes(), Some("application/json"));
        assert!((200..300).contains(&response.status), "{method} {path}: {} {}", response.status, response.text());
        serde_json::from_slice(&response.body).unwrap()
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        self.host.ask(path).unwrap()
    }

    /// A save of the only rank.
    pub(crate) fn begin(&self, run: &str, step: u64) -> Save {
        self.done("POST", "/v1/saves", &json!({ "run": run, "step": step, "rank": 0, "world_size": 1 }))
    }

    pub(crate) fn commit(&self, save: &Save) -> Committed {
        self.done("POST", &format!("/v1/saves/{}/commit", save.save_id), &json!({}))
    }

    /// A whole small checkpoint.
    pub(crate) fn checkpoint(&self, run: &str, step: u64) -> Committed {
        let save = self.begin(run, step);
        fs::write(Path::new(&save.path).join("weights.bin"), [7; 1000]).unwrap();
        self.commit(&save)
    }

    pub(crate) fn upload(&self, component: &[u8]) -> Response {
        self.send("POST", "/v1/plugins", component, Some("application/wasm"))
    }

    /// Uploads a component that is one, and returns its digest.
    pub(crate) fn plugin(&self, component: &[u8]) -> String {
        let response = self.upload(component);
        assert_eq!(response.status, 201, "{}", response.text());
        response.json().unwrap()["digest"].as_str().unwrap().to_owned()
    }

    /// Installs a bot that is woken by every committed shard.
    pub(crate) fn install(&self, name: &str, plugin: &str) -> Bot {
        self.done("PUT", &format!("/v1/bots/{name}"), &on_shards(plugin))
    }

    pub(crate) fn bot(&self, name: &str) -> Bot {
        self.get(&format!("/v1/bots/{name}"))
    }

    /// Waits until a bot is as it should be.
    pub(crate) fn until_bot(&self, name: &str, what: &str, is: impl Fn(&Bot) -> bool) -> Bot {
        wait::until(&format!("bot {name} to be {what}"), PATIENCE, || {
            let bot = self.bot(name);
            Ok(is(&bot).then_some(bot))
        })
        .unwrap()
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.get::<Page<Event>>("/v1/events?limit=1000").items
    }

    /// The whole journal.
    pub(crate) fn all_events(&self) -> Vec<Event> {
        let mut events: Vec<Event> = Vec::new();
        loop {
            let after = events.last().map_or(0, |last| last.seq);
            let page = self.get::<Page<Event>>(&format!("/v1/events?after={after}&limit=1000")).items;
            if page.is_empty() {
                return events;
            }
            events.extend(page);
        }
    }

    /// Nothing is left of what was refused: no save, no file of one, no half restore, no plugin on its way.
    pub(crate) fn leaves_nothing(&self) {
        assert_eq!(self.get::<Page<Save>>("/v1/saves").items, []);
        for folder in ["staging", "trash", "restores", "quarantine"] {
            // What a bot has pruned may just be on its way out.
            let empty = || Ok(names_in(&self.tier().join(folder)).is_empty().then_some(()));
            wait::until(&format!("an empty {folder}"), PATIENCE, empty).unwrap();
        }
        let plugins = names_in(&self.host.dir().join("plugins"));
        assert!(plugins.iter().all(|name| name.ends_with(".wasm")), "{plugins:?}");
    }

    /// The host still does its work, from the save to the copy that a bot asked for.
    pub(crate) fn still_works(&self) {
        let run = format!("well-{}", self.events().len());
        assert!(self.checkpoint(&run, 1).complete);
        wait::until("the copy of a checkpoint", PATIENCE, || {
            let found: Checkpoint = self.get(&format!("/v1/runs/{run}/checkpoints/1"));
            Ok(found.shards[0].object.then_some(()))
        })
        .unwrap();
        assert_eq!(self.get::<Value>("/v1/health")["ready"], true);
        self.leaves_nothing();
    }

    /// The runs that the host knows.
    pub(crate) fn runs(&self) -> Vec<String> {
        self.get::<Page<tidegate_api::Run>>("/v1/runs").items.into_iter().map(|run| run.run).collect()
    }
}

/// A bot that sees everything and is woken by every committed shard.
pub(crate) fn on_shards(plugin: &str) -> Value {
    json!({ "plugin": plugin, "settings": {}, "grants": { "read": ["*"], "prune": ["*"], "tiers": ["nvme"] },
        "triggers": { "events": ["shard-committed"] } })
}

/// The form that every error has.
pub(crate) fn check(response: &Response, code: &str, what: &str) -> Problem {
    let text = response.text();
    assert_eq!(
        response.content_type.as_deref(),
        Some("application/problem+json"),
        "{what}: {} {text}",
        response.status
    );
    let problem: Problem = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(problem.code, code, "{what}: {text}");
    assert_eq!(
        (problem.status, problem.kind.as_str()),
        (response.status, format!("/errors/{code}").as_str()),
        "{what}"
    );
    assert!(!problem.title.is_empty() && !problem.detail.is_empty() && !problem.hint.is_empty(), "{what}: {text}");
    // A bot's own words have 4096 bytes.
    assert!(problem.detail.len() < 4200 && !problem.detail.contains('\0'), "{what}: {text}");
    problem
}

pub(crate) fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}
