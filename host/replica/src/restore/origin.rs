//! A source that was opened.

use std::{io, os::fd::OwnedFd, sync::Arc};

use object_store::path::Path;
use tidegate_core::{Body, FileEntry, Tier, damage::is_damage};

use super::{Damage, Source};
use crate::{
    Error, Target,
    io::{beneath, blocking, buffer::Buffer, read::Span},
    target::Read,
};

/// Where bytes come from.
#[derive(Clone)]
pub(super) enum Origin {
    Dir(Arc<OwnedFd>),
    Target { target: Target, prefix: Path },
}

impl Origin {
    /// Opens a source. One that is damaged as a whole is told in the inner result.
    ///
    /// # Errors
    /// A host that can't open anything now: its memory or its descriptors are used up.
    pub(super) async fn open(source: &Source<'_>, body: &Body) -> Result<Result<Self, Damage>, Error> {
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
            Source::Target(target) => {
                let prefix = target.0.layout.data(&body.run, body.step, body.rank);
                Ok(Ok(Self::Target { target: (*target).clone(), prefix }))
            }
        }
    }

    pub(super) fn tier(&self) -> Tier {
        match self {
            Self::Dir(_) => Tier::Nvme,
            Self::Target { .. } => Tier::Object,
        }
    }

    /// Fills a buffer with a span of a file. The bytes are not checked yet.
    ///
    /// # Errors
    /// A source that can't be asked now. One that does not have the bytes is no error.
    pub(super) async fn read(&self, file: &FileEntry, span: Span, mut into: Buffer) -> Result<Read, Error> {
        match self {
            Self::Target { target, prefix } => {
                let object = prefix.clone().join(file.digest.to_string());
                target.read(&object, file.size, span, into).await
            }
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

fn fill(root: &OwnedFd, path: &tidegate_core::RelPath, span: Span, into: &mut Buffer) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let file = beneath::read(root, path)?;
    // Spans of one file are read by several threads, each from its start to its end.
    let _ = rustix::fs::fadvise(&file, span.offset, None, rustix::fs::Advice::Sequential);
    file.read_exact_at(into.room(), span.offset)
}
