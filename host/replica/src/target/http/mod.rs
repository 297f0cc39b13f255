//! The HTTP client of every target on a server. Its requests keep to the target's budget: each waits for a slot and for
//! its turn, bodies go piece by piece both ways, a server that is overrun is left alone for as long as it asks.

mod canary;
mod client;
mod paced;
mod patience;
mod retry_after;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
pub(crate) use canary::{CANARY, Canary, SONG};
use http_body_util::BodyExt;
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
    },
};

use self::{
    paced::{Paced, Pacer},
    patience::{Expired, Patience},
};
use crate::budget::{Budget, InFlight, Lane, Outcome, Rate};

/// Makes such clients.
#[derive(Debug)]
pub(crate) struct Connector {
    pub(crate) canary: Canary,
    pub(crate) budget: Arc<Budget>,
}

impl Connector {
    pub(crate) fn new(budget: &Arc<Budget>) -> Self {
        Self { canary: Canary::default(), budget: Arc::clone(budget) }
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let wrong = |detail: String| object_store::Error::Generic { store: "HTTP client", source: detail.into() };
        Ok(HttpClient::new(Client {
            inner: client::build(options).map_err(wrong)?,
            deadline: client::deadline(options).map_err(wrong)?,
            canary: self.canary.clone(),
            budget: Arc::clone(&self.budget),
        }))
    }
}

#[derive(Debug)]
struct Client {
    inner: reqwest::Client,
    deadline: Option<Duration>,
    canary: Canary,
    budget: Arc<Budget>,
}

#[async_trait]
impl HttpService for Client {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let canary = canary::damage(&mut request);
        let lane = Lane::current();
        let slot = InFlight::begin(&self.budget, &lane).await;
        let patience = Patience::new(self.deadline);
        let pacer =
            |rate| Pacer { budget: Arc::clone(&self.budget), lane: lane.clone(), rate, patience: patience.clone() };
        let answer = match patience.enforce(self.send(request, pacer(Rate::Upload))).await {
            Some(Ok(answer)) => answer,
            Some(Err(error)) => {
                let timeout = error.kind() == HttpErrorKind::Timeout;
                slot.learned(if timeout { Outcome::TimedOut } else { Outcome::Lost });
                return Err(error);
            }
            None => {
                slot.learned(Outcome::TimedOut);
                return Err(HttpError::new(HttpErrorKind::Timeout, Expired(self.deadline.unwrap_or_default())));
            }
        };
        if canary {
            self.canary.answered(&answer);
        }
        let outcome = retry_after::outcome(&answer);
        slot.learned(outcome);
        if matches!(outcome, Outcome::Throttled(Some(_))) {
            // Told after the pause, so that whoever asked does not try again before.
            slot.pause().await;
            return Ok(answer);
        }
        let (parts, body) = answer.into_parts();
        let body = Paced::answer(body, pacer(Rate::Download), slot, self.deadline);
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)))
    }
}

impl Client {
    /// Sends a request and waits for the head of its answer.
    async fn send(&self, request: HttpRequest, pacer: Pacer) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string().parse().map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        // One without bytes stays one that can be sent twice on a connection that was closed meanwhile.
        *request.body_mut() = Some(match body.content_length() {
            0 => reqwest::Body::from(""),
            _ => reqwest::Body::wrap(Paced::request(body, pacer)),
        });
        let answer = self.inner.execute(request).await.map_err(client::failed)?;
        let (parts, body) = hyper::Response::<reqwest::Body>::from(answer).into_parts();
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body.map_err(client::failed))))
    }
}
