//! The host that they are played against.

use serde_json::{Value, json};
use tidegate_api::{Checkpoint, Committed};

use super::fixture::Fixture;
use crate::bad_input::site::Site;

/// The run that hostile bots see; the neighbour sees all.
pub(super) const PREY: &str = "prey";

pub(super) struct Scene {
    pub(super) site: Site,
    step: u64,
    /// The last step of [`PREY`].
    prey: u64,
}

impl Scene {
    /// A host that gives a bot this long, seconds.
    pub(super) fn start(deadline: u64) -> Self {
        let site = Site::start_with(|options| options.env("TIDEGATE_BOTS__DEADLINE_MS", (deadline * 1000).to_string()));
        Self { site, step: 0, prey: 0 }
    }

    /// A checkpoint that only the neighbour sees.
    pub(super) fn quiet_checkpoint(&mut self) {
        self.checkpoint("neighbour");
    }

    /// A checkpoint that wakes all that are installed.
    pub(super) fn provoke(&mut self) -> Committed {
        let committed = self.checkpoint(PREY);
        self.prey = self.step;
        committed
    }

    fn checkpoint(&mut self, run: &str) -> Committed {
        self.step += 1;
        let committed = self.site.checkpoint(run, self.step);
        assert!(committed.complete);
        committed
    }

    /// What wakes a hostile bot, and what it is granted.
    pub(super) fn spec(fixture: &Fixture, plugin: &str) -> String {
        let mut grants = json!({ "read": [PREY] });
        grants.as_object_mut().unwrap().extend(fixture.grants.as_object().unwrap().clone());
        let triggers = json!({ "events": ["shard-committed"] });
        let settings = &fixture.settings;
        format!(r#"{{"plugin":"{plugin}","grants":{grants},"triggers":{triggers},"settings":{settings}}}"#)
    }

    /// It is removed with its state, and nothing of it is left.
    pub(super) fn leave(&self, fixture: &Fixture) {
        let path = format!("/v1/bots/{}", fixture.name);
        assert_eq!(self.site.send("DELETE", &path, b"", None).status, 204);
        self.site.refused("TG0019", "GET", &path, &Value::Null);
    }

    /// Nothing that a handler asked for before it failed is there.
    pub(super) fn nothing_was_committed_by(&self, name: &str) {
        let bot = self.site.bot(name);
        assert_eq!((bot.effects, bot.state_bytes, bot.metrics.len()), (0, 0, 0), "{bot:?}");
        assert_eq!(self.jobs_of(name), 0, "{name}");
        let checkpoint: Checkpoint = self.site.get(&format!("/v1/runs/{PREY}/checkpoints/{}", self.prey));
        assert!(checkpoint.pins.iter().all(|pin| pin.by != name), "{checkpoint:?}");
    }

    pub(super) fn jobs_of(&self, name: &str) -> usize {
        let jobs = self.site.get::<Value>("/v1/jobs?limit=1000");
        jobs["items"].as_array().unwrap().iter().filter(|job| job["by"] == name).count()
    }

    pub(super) fn journal_has_no_gap(&self) {
        let events = self.site.all_events();
        assert!(events.iter().map(|event| event.seq).eq(1..=events.len() as u64));
    }
}
