//! From whichever tier has the right bytes to a directory that appears whole or not at all.

mod fetch;
mod file;
mod landed;
mod origin;
mod packed;
mod staging;

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use tidegate_core::{Body, RelPath, Step, Tier};

pub use self::staging::Landing;
use self::{file::Restoring, landed::Landed, origin::Origin};
use crate::{
    Error, Progress, Target,
    budget::Lane,
    crew::{self, Crew},
    io::{blocking, buffer::Pool, read::spans},
    options,
};

/// Damaged blocks that are named; what is beyond is only counted in the log.
const DAMAGES: usize = 1000;

/// Where bytes may come from.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// The sealed directory of this very shard on the NVMe tier.
    Dir(&'a Path),
    /// An object target that the shard was shipped to.
    Target(&'a Target),
}

/// How a restore is done.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// Parts in flight; of small files as many more as weigh the same. Default = 8.
    pub concurrency: NonZeroUsize,
    /// Bytes of a part, rounded up to whole blocks of 4 MiB. The most memory in use is `concurrency` × `part_bytes`.
    /// Default = 8 MiB.
    pub part_bytes: u64,
    /// Directories of this host with the files of the same rank at other steps: blocks that are differences from those need not be
    /// fetched as well. Default = none.
    pub local: BTreeMap<Step, PathBuf>,
}

impl Default for RestoreOptions {
    fn default() -> Self {
        Self {
            concurrency: NonZeroUsize::new(8).unwrap_or(NonZeroUsize::MIN),
            part_bytes: 8 << 20,
            local: BTreeMap::new(),
        }
    }
}

/// What was restored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Bytes that came from directories.
    pub nvme: u64,
    /// Bytes that came from object targets.
    pub object: u64,
    /// What was missing or wrong in a source, also after it was asked again; at most 1,000 are named.
    pub damaged: Vec<Damage>,
}

/// Bytes that a source did not have right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Where.
    pub tier: Tier,
    /// The file, below the shard; `.` when the source as a whole is missing.
    pub file: String,
    /// The block, from 0; the first of those that are missing together.
    pub block: u64,
    /// What was seen.
    pub detail: String,
}

/// What the tasks of one restore share.
struct Restore {
    body: Body,
    origins: Vec<Origin>,
    staging: Landing,
    landed: Arc<Landed>,
    pool: Arc<Pool>,
    progress: Progress,
    stop: tokio_util::sync::CancellationToken,
    result: Mutex<Restored>,
}

/// Makes `into` hold exactly the files of `body`, each block checked against its digest; block by block, where a source
/// is wrong or has nothing, the next one is asked, the nearest coming first. The files and `into` are durable when this
/// returns. `into` must not exist and its parent must; until the end everything happens in a sibling called
/// `<into>.partial-…`, which is removed on every error (and by the next restore into the same place after a crash).
/// Only files are restored: a directory that held none is not made.
///
/// # Errors
/// [`Error::Corrupt`] if no source has the right bytes of some block, [`Error::Exists`], [`Error::NoSpace`], or what the
/// file system says.
pub async fn restore(
    body: &Body,
    sources: &[Source<'_>],
    into: &Path,
    options: RestoreOptions,
    progress: &Progress,
) -> Result<Restored, Error> {
    Lane::of_restores().scope(bring(body, sources, into, options, progress)).await
}

async fn bring(
    body: &Body,
    sources: &[Source<'_>],
    into: &Path,
    options: RestoreOptions,
    progress: &Progress,
) -> Result<Restored, Error> {
    progress.begin(body.bytes());
    let (place, bytes) = (into.to_owned(), body.bytes());
    let staging = blocking(move || Landing::begin(&place, bytes)).await?;
    let landed = Landed::new(&staging.root, body)?;
    let mut result = Restored::default();
    let mut origins = Vec::new();
    for source in sources {
        match Origin::open(source, body, &options.local, &landed).await? {
            Ok(origin) => origins.push(origin),
            Err(damage) => result.damaged.push(damage),
        }
    }
    let part = options::part_bytes(options.part_bytes, 0);
    let largest = body.files.iter().map(|file| file.size.min(part)).max().unwrap_or(0);
    let mut crew = Crew::new(crew::permits(options.concurrency), progress.token());
    let restore = Arc::new(Restore {
        body: body.clone(),
        origins,
        staging,
        landed,
        pool: Pool::new(usize::try_from(largest).unwrap_or(usize::MAX), options.concurrency.get()),
        progress: progress.clone(),
        stop: crew.stop(),
        result: Mutex::new(result),
    });
    start_all(&restore, &mut crew, part).await;
    // Every task has ended before anything is renamed or removed.
    let ended = crew.finish().await;
    let restore = Arc::into_inner(restore).ok_or_else(|| Error::Worker("a part is still being written".into()))?;
    let result = restore.result.into_inner().unwrap_or_else(PoisonError::into_inner);
    ended.map_err(|error| match error {
        Error::Corrupt { file, block, detail, retryable, .. } => {
            Error::Corrupt { file, block, detail, retryable, damaged: result.damaged.clone() }
        }
        other => other,
    })?;
    let directories = directories(body);
    blocking(move || restore.staging.commit(&directories)).await?;
    Ok(result)
}

/// Starts the fetching of every part. What is decoded with the help of other bytes of the shard comes last: these are there by then.
async fn start_all(restore: &Arc<Restore>, crew: &mut Crew, part: u64) {
    let mut last = Vec::new();
    for nth in 0..restore.body.files.len() {
        let Some(file) = Restoring::new(restore, nth, part) else { continue };
        let file = Arc::new(file);
        if file.is_empty() && !crew.start(1, Arc::clone(&file).make()).await {
            return;
        }
        for span in spans(file.size(), part) {
            let nearest = restore.origins.first().zip(file.entry());
            let helped = match nearest {
                Some((origin, entry)) => {
                    restore.stop.run_until_cancelled(origin.is_helped(entry, span)).await.unwrap_or_default()
                }
                None => false,
            };
            if helped {
                last.push((Arc::clone(&file), span));
            } else if !crew.start(crew::share(span.len as u64, part), Arc::clone(&file).fetch(span)).await {
                return;
            }
        }
    }
    for (file, span) in last {
        if !crew.start(crew::share(span.len as u64, part), file.fetch(span)).await {
            return;
        }
    }
}

/// The directories of a shard below its root, the deepest first.
fn directories(body: &Body) -> Vec<PathBuf> {
    let above = |path: &RelPath| {
        let mut above: Vec<PathBuf> = path.as_path().ancestors().skip(1).map(Path::to_owned).collect();
        above.retain(|path| !path.as_os_str().is_empty());
        above
    };
    let all: BTreeSet<PathBuf> = body.files.iter().flat_map(|file| above(&file.path)).collect();
    all.into_iter().rev().collect()
}

impl Restore {
    fn took(&self, tier: Tier, bytes: u64) {
        self.progress.add(bytes);
        let mut result = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        match tier {
            Tier::Nvme => result.nvme += bytes,
            Tier::Object => result.object += bytes,
        }
    }

    fn damaged(&self, damage: Damage) {
        tracing::warn!(
            tier = damage.tier.name(),
            file = damage.file,
            block = damage.block,
            detail = damage.detail,
            "damage"
        );
        let mut result = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        if result.damaged.len() < DAMAGES {
            result.damaged.push(damage);
        }
    }
}
