//! The domain of Tidegate, and nothing else: names and their bounds, manifests, events, effects, the guard that admits
//! them, jobs. It is **not** a place for IO: there is no tokio, no file, no socket and no system clock here; what needs
//! the time takes `now`, what needs chance takes a seed. So the same facts always lead to the same decisions, which is
//! what makes replay and simulation the same code path as production.
//!
//! ```
//! use tidegate_core::{RelPath, RunName};
//! assert!("gpt-1b".parse::<RunName>().is_ok());
//! assert!("../gpt".parse::<RunName>().is_err());
//! assert!("weights/a.safetensors".parse::<RelPath>().is_ok());
//! assert!("../../etc/passwd".parse::<RelPath>().is_err());
//! ```

pub mod cbor;
mod checkpoint;
mod clock;
mod code;
pub mod damage;
mod decision;
mod digest;
mod effect;
mod event;
mod glob;
mod grant;
pub mod guard;
mod history;
mod id;
mod job;
mod ledger;
pub mod limits;
mod manifest;
mod mode;
mod object;
mod plugin;
mod quota;
mod quote;
mod random;
mod refusal;
mod rel_path;
pub mod retry;
mod wanted;

pub use checkpoint::{Checkpoint, Copy, Pin, Shard, Tier};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use code::Code;
pub use decision::{Asked, CalledOff, Decision};
pub use digest::{Digest, DigestError, FileHasher};
pub use effect::{Effect, EffectId, EffectKind, Verb};
pub use event::{Event, EventKind, Seq};
pub use glob::{BadGlobs, Glob};
pub use grant::{BadGrants, Grants, Triggers};
pub use guard::Verdict;
pub use id::{BotName, HostName, InvalidName, Metrics, Rank, RunName, SaveId, Step, TargetName, WorldSize};
pub use job::{Held, Job, JobState, Outcome};
pub use ledger::{Amount, Ledger};
pub use manifest::{Body, FileEntry, ManifestError};
pub use mode::Mode;
pub use plugin::{BadPluginManifest, PluginManifest, Want};
pub use quota::Spent;
pub use quote::{QUOTED_CHARS, Quoted, TOLD_BYTES, quoted, told};
pub use random::RandomStream;
pub use refusal::{Refusal, Why};
pub use rel_path::{InvalidPath, RelPath};
pub use wanted::{Lack, Need, Wanted};
