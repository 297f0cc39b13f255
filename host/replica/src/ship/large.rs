//! Files of more than one part.

use std::{
    fs::File,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use object_store::{
    PutPayload,
    multipart::{MultipartStore, PartId},
};
use tokio::sync::OnceCell;

use super::{Object, Shipping, small, uploads::Noted};
use crate::{
    Error,
    io::{
        blocking,
        read::{BLOCK, Span},
    },
    local::LocalUpload,
    retry,
};

/// One object in the making. The first part to come begins the upload, the last to be done completes it.
pub(super) struct Large {
    shipping: Arc<Shipping>,
    pub(super) object: Arc<Object>,
    begun: OnceCell<Begun>,
    parts: Mutex<Vec<Option<PartId>>>,
    left: AtomicUsize,
    ended: AtomicBool,
    doubtful: AtomicBool,
    resumed: AtomicU64,
}

struct Begun {
    file: Arc<File>,
    way: Way,
}

#[derive(Clone)]
enum Way {
    Store(Arc<dyn MultipartStore>, Arc<Noted>),
    Directory(Arc<LocalUpload>),
}

impl Large {
    pub(super) fn new(shipping: Arc<Shipping>, object: Arc<Object>) -> Self {
        let count = usize::try_from(object.size.div_ceil(object.part)).unwrap_or(usize::MAX);
        let (begun, parts, left) = (OnceCell::new(), Mutex::new(vec![None; count]), AtomicUsize::new(count));
        let (ended, doubtful, resumed) = Default::default();
        Self { shipping, object, begun, parts, left, ended, doubtful, resumed }
    }

    /// Reads, checks and uploads one part.
    pub(super) async fn part(self: Arc<Self>, nth: usize, span: Span) -> Result<(), Error> {
        let Begun { file, way } = self.begun.get_or_try_init(|| self.begin()).await?;
        let (file, this) = (Arc::clone(file), Arc::clone(&self));
        match way.clone() {
            Way::Directory(upload) => {
                let read = move || small::read_checked(&this.shipping, &file, &this.object, span);
                let buffer = Arc::new(blocking(read).await?);
                for one in (0..span.len).step_by(BLOCK) {
                    let (upload, buffer) = (Arc::clone(&upload), Arc::clone(&buffer));
                    let range = one..span.len.min(one + BLOCK);
                    self.shipping.turn(range.len() as u64).await?;
                    blocking(move || upload.put(&buffer, span, range)).await?;
                }
            }
            Way::Store(_, noted) if noted.parts.contains_key(&nth) => {
                self.place(nth, noted.parts.get(&nth).cloned());
                self.resumed.fetch_add(span.len as u64, Ordering::Relaxed);
            }
            Way::Store(store, noted) => {
                let work = move || small::read_checked(&this.shipping, &file, &this.object, span);
                let bytes = Bytes::from_owner(blocking(work).await?);
                self.shipping.turn(span.len as u64).await?;
                let done = retry::again(&self.shipping.stop, || async {
                    let put = store.put_part(&self.object.name, &noted.id, nth, PutPayload::from(bytes.clone())).await;
                    put.map_err(|error| {
                        if matches!(error, object_store::Error::NotFound { .. }) {
                            // The store has forgotten it: the next try begins anew.
                            noted.end();
                        }
                        self.failed("upload a part of", error)
                    })
                });
                let done = done.await?;
                noted.done(nth, &done);
                self.place(nth, Some(done));
            }
        }
        self.shipping.acknowledged(span.len as u64);
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.complete(way).await?;
        }
        Ok(())
    }

    fn place(&self, nth: usize, done: Option<PartId>) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = parts.get_mut(nth) {
            *place = done;
        }
    }

    /// Bytes of parts that were there from an earlier try.
    pub(super) fn resumed(&self) -> u64 {
        self.resumed.load(Ordering::Relaxed)
    }

    async fn begin(&self) -> Result<Begun, Error> {
        let (shipping, object) = (Arc::clone(&self.shipping), Arc::clone(&self.object));
        let file = Arc::new(blocking(move || small::open(&shipping, &object)).await?);
        let (target, object) = (&self.shipping.target, &self.object);
        let way = match (target.multipart(), target.file_of(&object.name)) {
            (Some(store), _) => {
                let noted = match target.noted(&object.name, object.size, object.part, &self.shipping.method) {
                    Some(noted) => noted,
                    None => {
                        let create = || async {
                            store.create_multipart(&object.name).await.map_err(|e| self.failed("begin", e))
                        };
                        let id = retry::again(&self.shipping.stop, create).await?;
                        target.note(&object.name, object.size, object.part, &self.shipping.method, id)
                    }
                };
                Way::Store(Arc::clone(store), Arc::new(noted))
            }
            (None, Some(path)) => {
                let size = object.size;
                Way::Directory(Arc::new(blocking(move || LocalUpload::begin(path, size)).await?))
            }
            (None, None) => {
                let (target, detail) = (target.name().clone(), "it takes no large objects".into());
                return Err(Error::Config { target, detail });
            }
        };
        Ok(Begun { file, way })
    }

    async fn complete(&self, way: &Way) -> Result<(), Error> {
        match way.clone() {
            Way::Directory(upload) => blocking(move || upload.complete()).await?,
            Way::Store(store, noted) => {
                let (name, id) = (&self.object.name, &noted.id);
                let parts = std::mem::take(&mut *self.parts.lock().unwrap_or_else(PoisonError::into_inner));
                let parts: Vec<PartId> = parts.into_iter().flatten().collect();
                let complete = || async {
                    match store.complete_multipart(name, id, parts.clone()).await {
                        Ok(_) => Ok(()),
                        // The upload is not known any more: most likely the answer to an earlier try was lost.
                        Err(object_store::Error::NotFound { .. }) => {
                            self.doubtful.store(true, Ordering::Release);
                            Ok(())
                        }
                        Err(error) => {
                            let error = self.failed("complete", error);
                            let text = error.to_string();
                            if ["InvalidBlockList", "InvalidPart"].iter().any(|code| text.contains(code)) {
                                // The store has forgotten a part: the next try begins anew.
                                noted.end();
                            }
                            Err(error)
                        }
                    }
                };
                retry::again(&self.shipping.stop, complete).await?;
                noted.end();
                // The list of parts carries no checksum: a part that got lost from it shows in the size.
                let size = retry::again(&self.shipping.stop, || self.shipping.target.head(name)).await?;
                if size.is_none_or(|meta| meta.size != self.object.size) {
                    self.doubtful.store(true, Ordering::Release);
                }
            }
        }
        self.ended.store(true, Ordering::Release);
        Ok(())
    }

    /// Whether it is not known that the upload was completed by us.
    pub(super) fn doubtful(&self) -> bool {
        self.doubtful.load(Ordering::Acquire)
    }

    /// After a failure: gives up what was uploaded so far, unless it is noted and a later try can go on with it.
    pub(super) async fn give_up(&self, failure: &Error) {
        if let Some((store, noted)) = self.unfinished() {
            if failure.retryable() && noted.kept() {
                return;
            }
            match store.abort_multipart(&self.object.name, &noted.id).await {
                Ok(()) => noted.end(),
                Err(error) => {
                    let error = self.failed("abort", error);
                    tracing::warn!(%error, "parts stay behind until they are collected");
                }
            }
        }
    }

    fn unfinished(&self) -> Option<(Arc<dyn MultipartStore>, Arc<Noted>)> {
        match self.begun.get()?.way.clone() {
            Way::Store(store, noted) if !self.ended.swap(true, Ordering::AcqRel) => Some((store, noted)),
            _ => None,
        }
    }

    fn failed(&self, attempted: &'static str, error: object_store::Error) -> Error {
        self.shipping.target.failed(attempted, &self.object.name, error)
    }
}

/// A shipping that is dropped half way aborts its uploads in the background, but for those that are noted.
impl Drop for Large {
    fn drop(&mut self) {
        if let Some((store, noted)) = self.unfinished().filter(|(_, noted)| !noted.kept())
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let name = self.object.name.clone();
            runtime.spawn(async move {
                if store.abort_multipart(&name, &noted.id).await.is_ok() {
                    noted.end();
                }
            });
        }
    }
}
