//! An object store as the replica uses it: named, with a layout, a budget and a proven way of verifying.

mod complete;
mod delete;
mod http;
mod need;
mod object;
mod open;
mod prove;
mod scan;

use std::{fmt, path::PathBuf, sync::Arc};

use object_store::{ObjectStore, multipart::MultipartStore, path::Path};
use tidegate_core::{Digest, Metrics, Rank, RunName, Step, TargetName, Timestamp, WorldSize};
use tokio::sync::{OnceCell, Semaphore};

use crate::{
    Error, Figures, Limits, Options, Rate, Slot,
    budget::{Budget, Lane},
    layout::Layout,
    options,
};

pub(crate) use object::Read;
pub(crate) use prove::Method;

/// An object store with a place in it. Clones share connections, budget and what was proven about the server.
#[derive(Clone)]
pub struct Target(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    name: TargetName,
    /// The URL without user, password and query.
    shown: String,
    pub(crate) kind: Kind,
    store: Arc<dyn ObjectStore>,
    /// None for a directory, which has its own way.
    multipart: Option<Arc<dyn MultipartStore>>,
    pub(crate) layout: Layout,
    pub(crate) options: Options,
    /// What parts in flight take their shares of, over all shards.
    pub(crate) permits: Arc<Semaphore>,
    /// What all transfers may use together.
    pub(crate) budget: Arc<Budget>,
    /// Never shown, whatever the store answers.
    secrets: Vec<String>,
    method: OnceCell<Method>,
}

/// What kind of store it is, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// S3, with the checksum that goes along with every request.
    S3 { checksum: Option<String>, canary: http::Canary },
    /// GCS or Azure.
    OtherCloud,
    /// A directory.
    Directory(PathBuf),
    /// Memory of this process.
    Memory,
}

/// A complete checkpoint on a target.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The run.
    pub run: RunName,
    /// The step.
    pub step: Step,
    /// How many ranks it has.
    pub world_size: WorldSize,
    /// What the trainer reported.
    pub metrics: Metrics,
    /// When its marker was written, by the store's clock.
    pub created: Timestamp,
    /// All ranks, in order.
    pub shards: Vec<FoundShard>,
}

/// One rank's share of a checkpoint on a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundShard {
    /// Whose.
    pub rank: Rank,
    /// The digest of its body.
    pub body: Digest,
    /// Bytes.
    pub bytes: u64,
    /// Files.
    pub files: u32,
    /// Bytes that it takes on the target, if it lies there in packs.
    pub packed: Option<u64>,
    /// The step of which it needs the shard of the same rank, if its packs are differences.
    pub base: Option<Step>,
}

impl Target {
    /// Opens a target by its URL: `file:///dir` (made if need be), `s3://bucket/prefix`, `gs://bucket/prefix`,
    /// `az://container/prefix` or `memory://`. Credentials come from the environment or from [`Options::store`], never
    /// from the URL. Does not connect yet: see [`Target::probe`].
    ///
    /// # Errors
    /// [`Error::Config`] for a URL or setting that can't be used.
    pub fn open(name: TargetName, url: &str, options: Options) -> Result<Self, Error> {
        open::open(name, url, options)
    }

    /// Its name.
    pub fn name(&self) -> &TargetName {
        &self.0.name
    }

    /// Whether shards may be shipped as differences from earlier ones.
    pub fn makes_differences(&self) -> bool {
        self.0.options.layout == crate::Layout::Packed && self.0.options.chain > 0
    }

    /// What all its transfers may use together.
    pub fn limits(&self) -> Limits {
        self.0.budget.limits()
    }

    /// Changes that. It holds at once, also for transfers that wait for their turn.
    pub fn set_limits(&self, limits: Limits) {
        self.0.budget.set_limits(limits);
    }

    /// How its budget is used.
    pub fn figures(&self) -> Figures {
        self.0.budget.figures()
    }

    /// What was granted in each tenth of a second of the last minute, in order.
    pub fn granted(&self, rate: Rate) -> Vec<Slot> {
        self.0.budget.slots(rate)
    }

    /// Waits for the turn of so many bytes of a store that is in this process. Those of a server wait on the wire.
    pub(crate) async fn turn(&self, rate: Rate, bytes: u64) {
        if matches!(self.0.kind, Kind::Directory(_) | Kind::Memory) {
            self.0.budget.take_all(rate, &Lane::current(), bytes).await;
        }
    }

    pub(crate) fn store(&self) -> &dyn ObjectStore {
        self.0.store.as_ref()
    }

    pub(crate) fn multipart(&self) -> Option<&Arc<dyn MultipartStore>> {
        self.0.multipart.as_ref()
    }

    /// Bytes of a part of a file of `size` bytes.
    pub(crate) fn part_bytes(&self, size: u64) -> u64 {
        let least = match self.0.kind {
            Kind::S3 { .. } | Kind::OtherCloud => options::SERVER_PART_BYTES,
            Kind::Directory(_) | Kind::Memory => 0,
        };
        options::part_bytes(self.0.options.part_bytes.max(least), size)
    }

    /// Where an object lies in the file system, for a directory.
    pub(crate) fn file_of(&self, object: &Path) -> Option<PathBuf> {
        match &self.0.kind {
            Kind::Directory(root) => Some(object.parts().fold(root.clone(), |at, part| at.join(part.as_ref()))),
            _ => None,
        }
    }
}

/// Name and place, such as `archive (s3://bucket/prefix)`; no credentials.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0.name, self.0.shown)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}
