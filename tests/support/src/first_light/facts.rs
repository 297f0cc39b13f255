//! What the host says happened: its journal and its jobs.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;
use tidegate_api::{Event, Job, Page};

use crate::host::TidegateProcess;

/// The journal and the jobs of one life of a host. Both are lost with its tier, so they are read before.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The whole journal.
    pub events: Vec<Event>,
    /// The newest thousand jobs.
    pub jobs: Vec<Job>,
}

/// Something that was pruned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// The step.
    pub step: u64,
    /// The tier that it went from.
    pub tier: String,
    /// Bytes freed.
    pub bytes: u64,
    /// Who asked.
    pub by: String,
    /// Why, in the words of who asked.
    pub reason: String,
}

impl Facts {
    /// Reads all of it.
    ///
    /// # Errors
    /// When the host does not answer.
    pub fn read(host: &TidegateProcess) -> Result<Self> {
        let mut events: Vec<Event> = Vec::new();
        loop {
            let after = events.last().map_or(0, |event| event.seq);
            let page: Page<Event> = host.ask(&format!("/v1/events?after={after}&limit=1000"))?;
            if page.items.is_empty() {
                break;
            }
            events.extend(page.items);
        }
        let jobs: Page<Job> = host.ask("/v1/jobs?limit=1000")?;
        Ok(Self { events, jobs: jobs.items })
    }

    /// Jobs that did not do what was asked, with what they said.
    pub fn failures(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().filter(|job| job.state == "failed" || job.failures > 0)
    }

    /// Prune jobs that are done, oldest first.
    #[must_use]
    pub fn pruned(&self) -> Vec<Pruned> {
        let mut done: Vec<&Job> = self.jobs.iter().filter(|job| job.verb == "prune" && job.state == "done").collect();
        done.sort_by(|a, b| a.updated_at.cmp(&b.updated_at));
        let pruned = done.into_iter().map(|job| Pruned {
            step: job.step,
            tier: job.place.clone(),
            bytes: job.bytes,
            by: job.by.clone(),
            reason: job.reason.clone(),
        });
        pruned.collect()
    }

    /// Bytes that were sent to the target.
    #[must_use]
    pub fn shipped(&self) -> u64 {
        self.of_kind("checkpoint-replicated").filter_map(|event| event.what.get("bytes")?.as_u64()).sum()
    }

    /// For each checkpoint that has a verified copy in object storage: seconds from the commit that made it complete.
    ///
    /// # Errors
    /// A time that is none.
    pub fn times_to_durable(&self) -> Result<Vec<f64>> {
        let mut complete = BTreeMap::new();
        for event in self.of_kind("checkpoint-complete") {
            complete.insert(step_of(event), time_of(event)?);
        }
        let mut times = Vec::new();
        for event in self.of_kind("checkpoint-replicated") {
            if let Some(from) = complete.get(&step_of(event)) {
                times.push((time_of(event)? - *from).as_seconds_f64());
            }
        }
        Ok(times)
    }

    /// Events of one kind.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(move |event| event.kind == kind)
    }
}

fn step_of(event: &Event) -> Option<u64> {
    event.what.get("step").and_then(Value::as_u64)
}

fn time_of(event: &Event) -> Result<chrono::DateTime<chrono::FixedOffset>> {
    chrono::DateTime::parse_from_rfc3339(&event.time).with_context(|| format!("the time of event {}", event.seq))
}
