//! The loop: facts go into a journal, bots turn facts into effects, the guard admits them, jobs carry them out, and
//! their outcomes are facts again. A [`Host`] is that loop over one NVMe tier and one object target.
//!
//! It is **not** a server and reads no configuration: it is given a store, a target and a sandbox, and is asked by method
//! calls. Time comes from the store's clock.
//!
//! | module | what it does |
//! | --- | --- |
//! | `saves`, `catalog` | what trainers and people ask |
//! | `bots` | each bot's way along the journal; what it may ask; its atomic batch |
//! | `jobs` | accepted effects: queue, tries, outcomes |
//! | `restores` | checkpoints back into directories, from the nearest tier |
//! | `discover` | what object storage knows and this host does not |
//! | `figures`, `health` | what the host says of itself |
//! | `limits` | what transfers may use |
//! | `maintain` | the index kept from growing without end |
//! | `recorded` | a host made of what another has recorded, to try bots out on |
//! | `readers` | who reads which checkpoint now, so that nothing deletes it meanwhile |

mod bots;
mod catalog;
mod discover;
mod error;
mod figures;
mod health;
mod host;
mod jobs;
mod limits;
mod maintain;
mod newest;
mod readers;
mod recorded;
mod restores;
mod saves;
mod track;

pub use bots::{
    BotFigures, BotInfo, BotSpec, Change, Comparison, Difference, Letter, PROBATION, PluginInfo, Promotion, Standing,
    Trial,
};
pub use catalog::{CheckpointInfo, Pruning, RunSummary};
pub use error::{Error, Result};
pub use figures::{Figures, JobFigures};
pub use health::{Check, HealthInfo};
pub use host::{Host, Options};
pub use jobs::{JobInfo, JobPlace};
pub use restores::{RestoreInfo, RestoreRequest, RestoreState};
pub use tidegate_replica::{Figures as TargetFigures, Limits, TapFigures};
pub use tidegate_store::{Begin, Committed, Save, Writer};
