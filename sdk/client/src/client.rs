use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::{Method, Response, StatusCode, body::Incoming};
use serde::de::DeserializeOwned;
use tidegate_api::Problem;

use crate::{
    Address, Error, Options,
    transport::{Call, Link, Lost, Pool},
};

/// A client of one host. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    address: Address,
    options: Options,
    pool: Pool,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.inner.address).finish()
    }
}

/// Before a GET is tried again; doubled each time.
const PAUSE: Duration = Duration::from_millis(100);

impl Client {
    /// A client with the default options. Connects to nobody yet.
    pub fn new(address: Address) -> Self {
        Self::with(address, Options::default())
    }

    /// A client with these options.
    pub fn with(address: Address, options: Options) -> Self {
        Self { inner: Arc::new(Inner { address, options, pool: Pool::default() }) }
    }

    /// Where the host is.
    pub fn address(&self) -> &Address {
        &self.inner.address
    }

    /// How patient this client is.
    pub fn options(&self) -> &Options {
        &self.inner.options
    }

    /// Asks, and reads the answer as JSON.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        let bytes = self.bytes(call).await?;
        serde_json::from_slice(&bytes).map_err(|error| self.strange(error.to_string()))
    }

    /// Asks for something that has no answer but that it was done.
    pub(crate) async fn tell(&self, call: Call) -> Result<(), Error> {
        self.bytes(call).await.map(drop)
    }

    pub(crate) async fn bytes(&self, call: Call) -> Result<Bytes, Error> {
        let timeout = call.timeout.unwrap_or(self.inner.options.timeout);
        match tokio::time::timeout(timeout, self.patiently(&call)).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::TimedOut { address: self.inner.address.clone(), timeout }),
        }
    }

    async fn patiently(&self, call: &Call) -> Result<Bytes, Error> {
        let mut tries_left = if call.method == Method::GET { self.inner.options.retries } else { 0 };
        let mut pause = PAUSE;
        loop {
            match self.once(call).await {
                Err(error) if tries_left > 0 && error.passing() => {
                    tries_left -= 1;
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                answer => return answer,
            }
        }
    }

    async fn once(&self, call: &Call) -> Result<Bytes, Error> {
        let (mut link, answer) = self.exchange(call).await?;
        let (parts, body) = answer.into_parts();
        let bytes = link.collect(body).await.map_err(|lost| self.broken(lost))?;
        self.inner.pool.put(link);
        if parts.status.is_success() { Ok(bytes) } else { Err(self.refusal(parts.status, &bytes)) }
    }

    /// Sends a call and returns the head of its answer with the connection that the rest comes from.
    pub(crate) async fn exchange(&self, call: &Call) -> Result<(Link, Response<Incoming>), Error> {
        // A kept connection can break in the moment it is used again: only a call that may be sent twice takes one.
        let mut sent = None;
        if call.repeatable
            && let Some(mut link) = self.inner.pool.take()
            && link.settle().await
        {
            match link.send(call.request()?).await {
                Ok(answer) => return Ok((link, answer)),
                Err(lost) => sent = Some(lost),
            }
        }
        let opened = Link::open(&self.inner.address).await;
        // That nothing was asked can be said only if nothing was sent before.
        let mut link = opened.map_err(|source| match sent {
            Some(lost) => self.broken(lost),
            None => Error::Unreachable { address: self.inner.address.clone(), source },
        })?;
        let answer = link.send(call.request()?).await.map_err(|lost| self.broken(lost))?;
        Ok((link, answer))
    }

    pub(crate) fn broken(&self, Lost(detail): Lost) -> Error {
        Error::Broken { address: self.inner.address.clone(), detail }
    }

    pub(crate) fn strange(&self, detail: String) -> Error {
        Error::Answer { address: self.inner.address.clone(), detail }
    }

    pub(crate) fn refusal(&self, status: StatusCode, body: &[u8]) -> Error {
        match serde_json::from_slice::<Problem>(body) {
            Ok(problem) => Error::Problem(Box::new(problem)),
            Err(_) => {
                let said: String = String::from_utf8_lossy(body).chars().take(200).collect();
                self.strange(format!("{status} {said}"))
            }
        }
    }
}
