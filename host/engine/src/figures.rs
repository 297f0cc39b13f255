//! The numbers of a host at one moment, for dashboards. Gathering them waits for no handler, no job and no object store.

use tidegate_core::{HostName, JobState, Seq};
use tidegate_replica::Figures as TargetFigures;

use crate::{BotFigures, Host, Result, error::blocking};

/// What a host counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// Its name.
    pub host: HostName,
    /// The last place in the journal.
    pub journal: Seq,
    /// Saves in progress.
    pub saves: u64,
    /// Bytes free on the tier's file system.
    pub tier_free: u64,
    /// Its size in bytes.
    pub tier_size: u64,
    /// Jobs.
    pub jobs: JobFigures,
    /// What goes to and from the object target, since the host started.
    pub target: TargetFigures,
    /// The installed bots, by name.
    pub bots: Vec<BotFigures>,
}

/// Jobs by where they stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobFigures {
    /// Wait for their time or turn.
    pub queued: u64,
    /// Are being carried out.
    pub running: u64,
    /// Did what was asked, since the host started.
    pub done: u64,
    /// Gave up, since the host started.
    pub failed: u64,
    /// Were called off, since the host started.
    pub cancelled: u64,
}

impl JobFigures {
    /// Takes in a job that has ended.
    pub(crate) fn ended(&mut self, state: JobState) {
        match state {
            JobState::Done => self.done += 1,
            JobState::Failed => self.failed += 1,
            JobState::Cancelled => self.cancelled += 1,
            JobState::Queued | JobState::Running => {}
        }
    }
}

impl Host {
    /// The numbers of now: one look at the index, and no locks but such as are held for moments.
    ///
    /// # Errors
    /// An index that can't be read.
    pub async fn figures(&self) -> Result<Figures> {
        let host = self.clone();
        blocking(move || {
            let view = host.0.store.index().view();
            let (tier_free, tier_size) = host.0.store.space().unwrap_or_default();
            Ok::<_, crate::Error>(Figures {
                host: host.0.options.name.clone(),
                journal: host.0.store.index().last(),
                saves: host.0.store.open_saves() as u64,
                tier_free,
                tier_size,
                jobs: host.0.queue.figures(),
                target: host.0.target.figures(),
                bots: host.bot_figures(&view)?,
            })
        })
        .await
    }
}
