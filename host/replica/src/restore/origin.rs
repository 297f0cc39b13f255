//! A source of a shard's bytes.

use std::{collections::BTreeMap, io, os::fd::OwnedFd, path::PathBuf, sync::Arc};

use object_store::path::Path;
use tidegate_core::{Body, FileEntry, Step, Tier, damage::is_damage};
use tokio::sync::OnceCell;

use super::{Damage, Source, landed::Landed, packed::PackedOrigin};
use crate::{
    Error, Target,
    io::{beneath, blocking, buffer::Buffer, read::Span},
    pack::Packed,
    target::Read,
};

/// Where bytes come from.
pub(super) enum Origin {
    Dir(Arc<OwnedFd>),
    Target(Box<OnTarget>),
}

/// A shard on a target. How it lies there is looked up when it is first asked: a restore that finds all it needs nearer
/// needs no answer from there.
pub(super) struct OnTarget {
    target: Target,
    body: Body,
    /// What its manifest says, where that is known already.
    packed: Option<Option<Packed>>,
    local: BTreeMap<Step, PathBuf>,
    /// Where its blocks land, if it is what is restored and no base of it.
    landed: Option<Arc<Landed>>,
    way: OnceCell<Way>,
}

enum Way {
    /// Each file is an object below this prefix.
    Plain(Path),
    Packed(Box<PackedOrigin>),
}

impl Origin {
    /// Opens a source. One that is damaged as a whole is told in the inner result.
    ///
    /// # Errors
    /// A host that can't open anything now: its memory or its descriptors are used up.
    pub(super) async fn open(
        source: &Source<'_>,
        body: &Body,
        local: &BTreeMap<Step, PathBuf>,
        landed: &Arc<Landed>,
    ) -> Result<Result<Self, Damage>, Error> {
        match source {
            Source::Dir(path) => {
                let place = path.to_path_buf();
                let opened = blocking(move || Ok(beneath::directory(&place))).await?;
                match opened {
                    Ok(root) => Ok(Ok(Self::Dir(Arc::new(root)))),
                    Err(error) if is_damage(&error) => {
                        let detail = format!("could not open {}: {error}", path.display());
                        Ok(Err(Damage { tier: Tier::Nvme, file: ".".into(), block: 0, detail }))
                    }
                    Err(error) => Err(Error::local("open", *path)(error)),
                }
            }
            Source::Target(target) => Ok(Ok(Self::on_target(target, body.clone(), None, local, Some(landed)))),
        }
    }

    /// A shard whose manifest was read.
    pub(super) fn of_shard(
        target: &Target,
        body: Body,
        packed: Option<Packed>,
        local: &BTreeMap<Step, PathBuf>,
    ) -> Self {
        Self::on_target(target, body, Some(packed), local, None)
    }

    fn on_target(
        target: &Target,
        body: Body,
        packed: Option<Option<Packed>>,
        local: &BTreeMap<Step, PathBuf>,
        landed: Option<&Arc<Landed>>,
    ) -> Self {
        let (target, local, landed, way) = (target.clone(), local.clone(), landed.cloned(), OnceCell::new());
        Self::Target(Box::new(OnTarget { target, body, packed, local, landed, way }))
    }

    /// Whether a span is decoded with the help of other bytes of the same shard. A source that can't tell says no.
    pub(super) async fn is_helped(&self, file: &FileEntry, span: Span) -> bool {
        let Self::Target(on) = self else { return false };
        match on.way.get_or_try_init(|| on.open()).await {
            Ok(Way::Packed(packed)) => packed.is_helped(file, span),
            _ => false,
        }
    }

    pub(super) fn tier(&self) -> Tier {
        match self {
            Self::Dir(_) => Tier::Nvme,
            Self::Target(_) => Tier::Object,
        }
    }

    /// Fills a buffer with a span of a file. The bytes are not checked yet. `fresh`: they were read before and were not right.
    ///
    /// # Errors
    /// A source that can't be asked now. One that does not have the bytes is no error.
    pub(super) async fn read(
        &self,
        file: &FileEntry,
        span: Span,
        mut into: Buffer,
        fresh: bool,
    ) -> Result<Read, Error> {
        match self {
            Self::Target(on) => match on.way.get_or_try_init(|| on.open()).await? {
                Way::Packed(packed) => packed.read(file, span, into, fresh).await,
                Way::Plain(prefix) => {
                    let object = prefix.clone().join(file.digest.to_string());
                    on.target.read(&object, file.size, span, into).await
                }
            },
            Self::Dir(root) => {
                let (root, path) = (Arc::clone(root), file.path.clone());
                blocking(move || match fill(&root, &path, span, &mut into) {
                    Ok(()) => Ok(Read::Bytes(into)),
                    Err(error) if is_damage(&error) => Ok(Read::Absent(error.to_string())),
                    Err(error) => Err(Error::local("read", path.as_path())(error)),
                })
                .await
            }
        }
    }
}

impl OnTarget {
    async fn open(&self) -> Result<Way, Error> {
        let Body { run, step, rank, .. } = &self.body;
        let looked = match &self.packed {
            Some(known) => Ok(known.clone()),
            None => self.target.shard(run, *step, *rank).await.map(|shard| shard.packed),
        };
        let packed = match looked {
            Ok(packed) => packed,
            // Objects may be there without it.
            Err(Error::Missing { .. } | Error::Manifest { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(match packed {
            None => Way::Plain(self.target.0.layout.data(run, *step, *rank)),
            Some(packed) => {
                let opened =
                    PackedOrigin::open(&self.target, self.body.clone(), &packed, &self.local, self.landed.clone());
                let opened = opened.await?;
                Way::Packed(Box::new(opened))
            }
        })
    }
}

fn fill(root: &OwnedFd, path: &tidegate_core::RelPath, span: Span, into: &mut Buffer) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let file = beneath::read(root, path)?;
    // Spans of one file are read by several threads, each from its start to its end.
    let _ = rustix::fs::fadvise(&file, span.offset, None, rustix::fs::Advice::Sequential);
    file.read_exact_at(into.room(), span.offset)
}
