//! One pack on its way: uploaded, unless it is there from an earlier try, and verified before it counts.

use std::collections::HashSet;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{ObjectStoreExt, PutPayload, multipart::PartId, path::Path};
use tidegate_core::Digest;
use tokio_util::sync::CancellationToken;

use crate::{
    Error, Progress, Rate, Target, crew,
    io::{
        blocking,
        buffer::Pool,
        read::{Span, spans},
    },
    pack::{Entry, Pack},
    retry,
    ship::{ROUNDS, uploads::Noted},
    target::{Method, Read},
};

/// What the packs of one shard share.
pub(super) struct Placing {
    pub(super) target: Target,
    pub(super) prefix: Path,
    pub(super) method: Method,
    /// Packs of an earlier try.
    pub(super) there: HashSet<Digest>,
    pub(super) stop: CancellationToken,
    pub(super) progress: Progress,
}

impl Placing {
    /// Brings a pack to the target and verifies it; says how many bytes were sent.
    pub(super) async fn place(&self, pack: Pack) -> Result<(Entry, u64), Error> {
        let Pack { entry, bytes, raw } = pack;
        let name = self.prefix.clone().join(entry.digest.to_string());
        let mut sent = 0;
        let mut there = self.there.contains(&entry.digest);
        let mut wrong = String::new();
        for _ in 0..ROUNDS {
            if !there {
                sent += self.upload(&name, &bytes).await?;
            }
            let seen = match &self.method {
                Method::Checksum(_) if !there => self.size(&name, &entry).await?,
                Method::Size => self.size(&name, &entry).await?,
                Method::Checksum(_) | Method::Reread => self.reread(&name, &entry, &bytes).await?,
            };
            match seen {
                None => {
                    self.progress.add(raw);
                    return Ok((entry, sent));
                }
                Some(detail) => {
                    tracing::warn!(target = %self.target, object = %name, detail, "a pack is written anew");
                    (there, wrong) = (false, detail);
                }
            }
        }
        Err(Error::NotVerified { target: self.target.name().clone(), object: name.to_string(), detail: wrong })
    }

    /// Uploads it; says how many bytes had to be sent.
    async fn upload(&self, name: &Path, bytes: &Bytes) -> Result<u64, Error> {
        let part = self.target.part_bytes(bytes.len() as u64);
        let turn = self.target.turn(Rate::Upload, bytes.len() as u64);
        self.stop.run_until_cancelled(turn).await.ok_or(Error::Cancelled)?;
        if let Some(store) = self.target.multipart().filter(|_| bytes.len() as u64 > part) {
            let size = bytes.len() as u64;
            let noted = match self.target.noted(name, size, part, &self.method) {
                Some(noted) => noted,
                None => {
                    let create =
                        || async { store.create_multipart(name).await.map_err(|e| self.failed("begin", name, e)) };
                    let id = retry::again(&self.stop, create).await?;
                    self.target.note(name, size, part, &self.method, id)
                }
            };
            let ended = self.parts(name, bytes, &noted, part).await;
            match &ended {
                Ok(_) => noted.end(),
                // A later try goes on with it.
                Err(error) if error.retryable() && noted.kept() => {}
                Err(_) => match store.abort_multipart(name, &noted.id).await {
                    Ok(()) => noted.end(),
                    Err(error) => {
                        let error = self.failed("abort", name, error);
                        tracing::warn!(%error, "parts stay behind until they are collected");
                    }
                },
            }
            return ended;
        }
        let _permit = self.permits(bytes.len() as u64, part).await?;
        retry::again(&self.stop, || async {
            let put = self.target.store().put(name, PutPayload::from(bytes.clone())).await;
            put.map(drop).map_err(|error| self.failed("write", name, error))
        })
        .await?;
        Ok(bytes.len() as u64)
    }

    async fn parts(&self, name: &Path, bytes: &Bytes, noted: &Noted, part: u64) -> Result<u64, Error> {
        let Some(store) = self.target.multipart() else { return Err(Error::Worker("no multipart".into())) };
        let put = |(nth, span): (usize, Span)| async move {
            if let Some(there) = noted.parts.get(&nth) {
                return Ok::<_, Error>((there.clone(), 0));
            }
            let _permit = self.permits(span.len as u64, part).await?;
            let start = usize::try_from(span.offset).unwrap_or(usize::MAX);
            let piece = bytes.slice(start..start + span.len);
            let done = retry::again(&self.stop, || async {
                let put = store.put_part(name, &noted.id, nth, PutPayload::from(piece.clone())).await;
                put.map_err(|error| {
                    if matches!(error, object_store::Error::NotFound { .. }) {
                        // The store has forgotten it: the next try begins anew.
                        noted.end();
                    }
                    self.failed("upload a part of", name, error)
                })
            });
            let done = done.await?;
            noted.done(nth, &done);
            Ok((done, span.len as u64))
        };
        let parts = stream::iter(spans(bytes.len() as u64, part).enumerate()).map(put);
        let parts: Vec<(PartId, u64)> = parts.buffered(self.target.0.options.concurrency.get()).try_collect().await?;
        let sent = parts.iter().map(|(_, sent)| sent).sum();
        let parts: Vec<PartId> = parts.into_iter().map(|(part, _)| part).collect();
        retry::again(&self.stop, || async {
            match store.complete_multipart(name, &noted.id, parts.clone()).await {
                // Not known any more: most likely the answer to an earlier try was lost. It is looked at in any case.
                Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(self.failed("complete", name, error)),
            }
        })
        .await?;
        Ok(sent)
    }

    async fn permits(&self, bytes: u64, part: u64) -> Result<tokio::sync::OwnedSemaphorePermit, Error> {
        let permits = std::sync::Arc::clone(&self.target.0.permits).acquire_many_owned(crew::share(bytes, part));
        let permit = self.stop.run_until_cancelled(permits).await.ok_or(Error::Cancelled)?;
        permit.map_err(|error| Error::Worker(error.to_string()))
    }

    /// What is wrong with its size.
    async fn size(&self, name: &Path, entry: &Entry) -> Result<Option<String>, Error> {
        let meta = retry::again(&self.stop, || self.target.head(name)).await?;
        Ok(match meta {
            None => Some("it is not there".into()),
            Some(meta) if meta.size != entry.size => {
                Some(format!("it has {} bytes instead of {}", meta.size, entry.size))
            }
            Some(_) => None,
        })
    }

    /// What is wrong with its bytes, which are read back.
    async fn reread(&self, name: &Path, entry: &Entry, bytes: &Bytes) -> Result<Option<String>, Error> {
        let part = self.target.part_bytes(entry.size);
        let pool = Pool::new(usize::try_from(part.min(entry.size)).unwrap_or(usize::MAX), 2);
        for span in spans(entry.size, part) {
            let _permit = self.permits(span.len as u64, part).await?;
            let read = retry::again(&self.stop, || self.target.read(name, entry.size, span, pool.take(span.len)));
            match read.await? {
                Read::Absent(detail) => return Ok(Some(detail)),
                Read::Bytes(buffer) => {
                    let start = usize::try_from(span.offset).unwrap_or(usize::MAX);
                    let sent = bytes.slice(start..start + span.len);
                    if !blocking(move || Ok(buffer.as_ref() == sent.as_ref())).await? {
                        return Ok(Some("it does not have the bytes that were sent".into()));
                    }
                }
            }
        }
        Ok(None)
    }

    fn failed(&self, attempted: &'static str, name: &Path, error: object_store::Error) -> Error {
        self.target.failed(attempted, name, error)
    }
}
