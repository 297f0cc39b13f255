//! What a server must be seen to do before anything is trusted to it.

use futures::{StreamExt, future::join_all};
use object_store::{ObjectStoreExt, PutPayload, path::Path};

use super::{
    Kind, Target,
    http::{CANARY, SONG},
    object::Created,
};
use crate::{Error, Verify};

/// How uploaded bytes are proven here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Method {
    /// The server compares this checksum and refuses what differs.
    Checksum(String),
    /// They are read back.
    Reread,
    /// Only their number.
    Size,
}

impl Method {
    /// As it is kept in a shard's manifest.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Checksum(algorithm) => format!("checksum:{algorithm}"),
            Self::Reread => "reread:blake3".into(),
            Self::Size => "size".into(),
        }
    }
}

impl Target {
    /// Writes, reads back and deletes a small object, after it was seen (once for each opened target) that the server
    /// honours conditional creates, also of many at once, and, where [`Verify`] relies on it, refuses damaged bytes.
    ///
    /// # Errors
    /// [`Error::Config`] for a server that can't be trusted with checkpoints, else what the store says.
    pub async fn probe(&self) -> Result<(), Error> {
        self.method().await?;
        let name = self.0.layout.probe(&random());
        let bytes = random().into_bytes();
        let put = self.store().put(&name, PutPayload::from(bytes.clone())).await;
        put.map_err(|error| self.failed("write", &name, error))?;
        let got = async { self.store().get(&name).await?.bytes().await }.await;
        self.remove(&name).await?;
        if got.map_err(|error| self.failed("read", &name, error))? == bytes {
            return Ok(());
        }
        let detail = "other bytes came back than were written".into();
        Err(Error::NotVerified { target: self.name().clone(), object: name.to_string(), detail })
    }

    /// How uploads are verified here; found out at the first call.
    pub(crate) async fn method(&self) -> Result<&Method, Error> {
        self.0.method.get_or_try_init(|| self.prove()).await
    }

    async fn prove(&self) -> Result<Method, Error> {
        let wanted = self.0.options.verify;
        let fallback = if wanted == Verify::Size { Method::Size } else { Method::Reread };
        let wrong = |detail: &str| Error::Config { target: self.name().clone(), detail: detail.into() };
        self.sweep_probes().await?;
        if matches!(self.0.kind, Kind::S3 { .. } | Kind::OtherCloud) {
            let fault = match (self.honours_conditions().await?, self.lets_one_win().await?) {
                (true, true) => None,
                (false, _) => Some("ignores If-None-Match"),
                (true, false) => Some("checks If-None-Match and lets several requests pass that come at once"),
            };
            if let Some(fault) = fault {
                return Err(wrong(&format!(
                    "the server {fault}, so that one host could overwrite what another has committed: \
                     use a server that has conditional writes"
                )));
            }
        }
        let Kind::S3 { checksum: Some(algorithm), canary } = &self.0.kind else {
            return match wanted {
                Verify::Checksum => Err(wrong("verify = checksum needs an S3 target: use auto or reread")),
                _ => Ok(fallback),
            };
        };
        if !matches!(wanted, Verify::Auto | Verify::Checksum) {
            return Ok(fallback);
        }
        let refused = |answer: u16| (400..500).contains(&answer);
        let name = self.0.layout.probe(&format!("{}{CANARY}", random()));
        let put = self.store().put(&name, PutPayload::from_static(SONG)).await;
        let whole = refused(canary.answer());
        match put {
            Ok(_) => self.remove(&name).await?,
            Err(error) if !whole => return Err(self.failed("write", &name, error)),
            Err(_) => {}
        }
        if whole && self.refuses_damaged_part(&name, || refused(canary.answer())).await? {
            return Ok(Method::Checksum(algorithm.clone()));
        }
        if wanted == Verify::Checksum {
            return Err(wrong("the server took bytes that do not have their checksum: use verify = auto or reread"));
        }
        tracing::warn!(target = %self, "the server does not check checksums: every upload will be read back");
        Ok(Method::Reread)
    }

    /// Removes what hosts that died while they probed have left, by the store's own clock.
    async fn sweep_probes(&self) -> Result<(), Error> {
        /// Seconds: another host may be probing now.
        const OLD: i64 = 3600;
        /// What is beyond goes the next time.
        const MOST: usize = 1000;
        let own = self.0.layout.probe(&random());
        let put = self.store().put(&own, PutPayload::from_static(b"probe")).await;
        put.map_err(|error| self.failed("write", &own, error))?;
        let prefix = self.0.layout.probe("");
        let found: Vec<_> =
            self.store().list(Some(&prefix)).take(MOST).filter_map(async |meta| meta.ok()).collect().await;
        let now = found.iter().find(|meta| meta.location == own).map(|meta| meta.last_modified.timestamp());
        let old = found.iter().filter(|meta| now.is_some_and(|now| now - meta.last_modified.timestamp() > OLD));
        for meta in old {
            self.remove(&meta.location).await?;
        }
        self.remove(&own).await
    }

    async fn honours_conditions(&self) -> Result<bool, Error> {
        let name = self.0.layout.probe(&random());
        // The first may have been repeated after a lost answer: whatever it says, the second must not succeed.
        self.create(&name, b"first".to_vec()).await?;
        let second = self.create(&name, b"second".to_vec()).await;
        self.remove(&name).await?;
        Ok(second? == Created::Existed)
    }

    /// Whether one of many who create the same object at once is told that it did, and the others that they did not.
    async fn lets_one_win(&self) -> Result<bool, Error> {
        const ROUNDS: usize = 2;
        const RACERS: u8 = 8;
        for _ in 0..ROUNDS {
            let name = self.0.layout.probe(&random());
            let racers = (0..RACERS).map(|racer| self.create(&name, vec![racer]));
            let results = join_all(racers).await;
            self.remove(&name).await?;
            // One that failed was not told so: a store may refuse so many writes to one name.
            if results.iter().filter(|result| matches!(result, Ok(Created::New))).count() > 1 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn refuses_damaged_part(&self, name: &Path, refused: impl Fn() -> bool) -> Result<bool, Error> {
        let Some(store) = self.multipart() else { return Ok(false) };
        let failed = |error| self.failed("upload a part of", name, error);
        let id = store.create_multipart(name).await.map_err(failed)?;
        let part = store.put_part(name, &id, 0, PutPayload::from_static(SONG)).await;
        let _ = store.abort_multipart(name, &id).await;
        match part {
            Err(error) if !refused() => Err(failed(error)),
            part => Ok(part.is_err()),
        }
    }

    async fn remove(&self, object: &Path) -> Result<(), Error> {
        match self.store().delete(object).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("delete", object, error)),
        }
    }
}

fn random() -> String {
    format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..))
}
