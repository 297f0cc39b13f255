//! Single objects: asking for, reading, creating; and the store's answers in our words.

use std::{fs::File, os::unix::fs::FileExt, path::PathBuf, sync::Arc};

use futures::StreamExt;
use object_store::{
    GetOptions, GetRange, GetResult, GetResultPayload, ObjectMeta, ObjectStoreExt, PutMode, PutPayload, path::Path,
};
use tokio_util::sync::CancellationToken;

use super::Target;
use crate::{
    Error, Rate,
    envelope::{self, Envelope},
    io::{
        blocking,
        buffer::Buffer,
        read::{BLOCK, Span},
    },
    retry,
};

/// What came of a conditional create.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Created {
    /// It is there now.
    New,
    /// It was there before.
    Existed,
}

/// What came of reading a part of an object.
pub(crate) enum Read {
    /// As many bytes as asked for.
    Bytes(Buffer),
    /// There is no such object, or it has another size.
    Absent(String),
}

impl Target {
    /// A failed call in our words, cleared of credentials.
    pub(crate) fn failed(&self, attempted: &'static str, object: &Path, error: object_store::Error) -> Error {
        use object_store::Error as E;
        let target = self.name().clone();
        let final_ = matches!(
            error,
            E::NotSupported { .. }
                | E::NotImplemented { .. }
                | E::InvalidPath { .. }
                | E::UnknownConfigurationKey { .. }
        );
        let detail = self.clean(&error.to_string());
        Error::Store { target, attempted, object: object.to_string(), detail, retryable: !final_ }
    }

    /// A store's words without credentials, queries of URLs and line breaks, and not too many of them.
    pub(crate) fn clean(&self, text: &str) -> String {
        let hidden = self.0.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"));
        let words = hidden.split_whitespace().map(|word| match word.split_once('?') {
            Some((url, _)) if url.contains("://") => format!("{url}?..."),
            _ => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ").chars().take(600).collect()
    }

    /// What the store knows of an object; none if there is no such object.
    pub(crate) async fn head(&self, object: &Path) -> Result<Option<ObjectMeta>, Error> {
        match self.store().head(object).await {
            Ok(meta) => Ok(Some(meta)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("look at", object, error)),
        }
    }

    /// Creates an object that must not be there. What a lost answer or a retry makes of it looks like `Existed`.
    pub(crate) async fn create(&self, object: &Path, bytes: Vec<u8>) -> Result<Created, Error> {
        let payload = PutPayload::from(bytes);
        match self.store().put_opts(object, payload, PutMode::Create.into()).await {
            Ok(_) => Ok(Created::New),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                Ok(Created::Existed)
            }
            Err(error) => Err(self.failed("create", object, error)),
        }
    }

    /// Creates an envelope, or finds it there with the same payload: two who mean the same agree.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it is there with another payload.
    pub(crate) async fn create_envelope(
        &self,
        object: &Path,
        envelope: &Envelope,
        payload_bytes: usize,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let bytes = envelope.encode().map_err(|detail| Error::Manifest { object: object.to_string(), detail })?;
        retry::again(stop, || async {
            if self.create(object, bytes.clone()).await? == Created::New {
                return Ok(());
            }
            match self.envelope(object, payload_bytes).await? {
                Some((there, _)) if there.digest == envelope.digest => Ok(()),
                Some(_) => Err(Error::Conflict { target: self.name().clone(), object: object.to_string() }),
                // Someone else's create was under way and failed, or the object was deleted in between.
                None => Err(Error::Store {
                    target: self.name().clone(),
                    attempted: "create",
                    object: object.to_string(),
                    detail: "another create is under way".into(),
                    retryable: true,
                }),
            }
        })
        .await
    }

    /// Reads an envelope; none if there is no such object. One that can't be read is asked for again, for the damage may
    /// be the wire's.
    pub(crate) async fn envelope(
        &self,
        object: &Path,
        payload_bytes: usize,
    ) -> Result<Option<(Envelope, ObjectMeta)>, Error> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.envelope_once(object, payload_bytes).await {
                Err(Error::Manifest { .. }) if tries < 3 => {}
                result => return result,
            }
        }
    }

    async fn envelope_once(&self, object: &Path, bytes: usize) -> Result<Option<(Envelope, ObjectMeta)>, Error> {
        let got = match self.store().get(object).await {
            Ok(got) => got,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.failed("read", object, error)),
        };
        let bad = |detail: String| Error::Manifest { object: format!("{} of {}", object, self.name()), detail };
        if got.meta.size > envelope::largest(bytes) as u64 {
            return Err(bad(format!("it has {} bytes", got.meta.size)));
        }
        let meta = got.meta.clone();
        let raw = got.bytes().await.map_err(|error| self.failed("read", object, error))?;
        Ok(Some((Envelope::decode(&raw, bytes).map_err(bad)?, meta)))
    }

    /// Fills a buffer with a part of an object that must have `size` bytes.
    pub(crate) async fn read(&self, object: &Path, size: u64, span: Span, mut into: Buffer) -> Result<Read, Error> {
        let range = span.offset..span.offset + span.len as u64;
        let whole = range == (0..size);
        let options = GetOptions { range: (!whole).then_some(GetRange::Bounded(range)), ..GetOptions::default() };
        let got = match self.store().get_opts(object, options).await {
            Ok(got) if got.meta.size == size => got,
            Ok(got) => return Ok(other_size(size, got.meta.size)),
            Err(object_store::Error::NotFound { .. }) => return Ok(Read::Absent("it is not there".into())),
            // A range beyond the end is answered in many ways: ask for the size.
            Err(error) => {
                return match self.head(object).await {
                    Ok(Some(meta)) if meta.size != size => Ok(other_size(size, meta.size)),
                    _ => Err(self.failed("read", object, error)),
                };
            }
        };
        let got = match got {
            GetResult { payload: GetResultPayload::File(file, path), .. } => {
                return self.read_file(file, path, span, into).await;
            }
            got => got,
        };
        let mut stream = got.into_stream();
        let mut room = into.room();
        while let Some(bytes) = stream.next().await {
            let bytes = bytes.map_err(|error| self.failed("read", object, error))?;
            let Some((now, later)) = room.split_at_mut_checked(bytes.len()) else {
                return Ok(Read::Absent("more bytes came than were asked for".into()));
            };
            self.turn(Rate::Download, bytes.len() as u64).await;
            now.copy_from_slice(&bytes);
            room = later;
        }
        let left = room.len();
        if left > 0 {
            return Ok(Read::Absent(format!("{left} bytes fewer came than were asked for")));
        }
        Ok(Read::Bytes(into))
    }

    /// The same from a file of a directory, block by block.
    async fn read_file(&self, file: File, path: PathBuf, span: Span, mut into: Buffer) -> Result<Read, Error> {
        let file = Arc::new(file);
        for nth in 0..span.blocks {
            let (file, path, one) = (Arc::clone(&file), path.clone(), span.nth(nth));
            self.turn(Rate::Download, one.len as u64).await;
            into = blocking(move || {
                let from = nth * BLOCK;
                let room = into.room().get_mut(from..from + one.len).unwrap_or_default();
                file.read_exact_at(room, one.offset).map_err(Error::local("read", path))?;
                Ok(into)
            })
            .await?;
        }
        Ok(Read::Bytes(into))
    }
}

fn other_size(wanted: u64, got: u64) -> Read {
    Read::Absent(format!("it has {got} bytes instead of {wanted}"))
}
