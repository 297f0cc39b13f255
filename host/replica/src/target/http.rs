//! The HTTP client of an S3 target. It is the usual one, but for one thing: the body of a request for the *canary*
//! object leaves with one bit flipped, after its checksum was made. A server that takes it does not check checksums.

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

use async_trait::async_trait;
use object_store::{
    ClientOptions,
    client::{HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector},
};

/// What the canary object is meant to hold.
pub(crate) const SONG: &[u8] = b"tidegate asks whether this server checks what it is sent";
/// How its name ends.
pub(crate) const CANARY: &str = "-canary";

/// What the server said to the canary last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Canary(Arc<AtomicU16>);

impl Canary {
    /// The status of the last answer; zero before there was one.
    pub(crate) fn answer(&self) -> u16 {
        self.0.load(Ordering::SeqCst)
    }
}

impl PartialEq for Canary {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Canary {}

#[derive(Debug)]
struct Client {
    inner: HttpClient,
    canary: Canary,
}

#[async_trait]
impl HttpService for Client {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let canary = request.method().as_str() == "PUT" && request.uri().path().ends_with(CANARY);
        if !canary {
            return self.inner.execute(request).await;
        }
        let mut damaged = SONG.to_vec();
        if let Some(byte) = damaged.last_mut() {
            *byte ^= 1;
        }
        *request.body_mut() = damaged.into();
        let response = self.inner.execute(request).await?;
        self.canary.0.store(response.status().as_u16(), Ordering::SeqCst);
        Ok(response)
    }
}

/// Makes such clients.
#[derive(Debug, Default)]
pub(crate) struct Connector {
    pub(crate) canary: Canary,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let inner = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Client { inner, canary: self.canary.clone() }))
    }
}
