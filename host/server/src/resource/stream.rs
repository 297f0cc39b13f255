//! The journal as server-sent events: `id` is the place, `event` the kind, `data` the event as JSON.

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName},
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, stream};
use serde::Deserialize;
use tidegate_core::{Seq, quoted};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::events::show;
use crate::{
    app::App,
    http::{Failure, Problems, Query},
};

/// A comment goes out this often when nothing happens, so that both ends notice a broken connection.
const HEARTBEAT: Duration = Duration::from_secs(15);
const BATCH: usize = 256;
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(follow))
}

/// Where to start.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Start {
    /// Events after this place. Default = 0: from the beginning. A `Last-Event-ID` header goes before it.
    after: Option<u64>,
}

/// How far a stream has come.
struct Reader {
    app: App,
    after: Seq,
    ready: VecDeque<tidegate_core::Event>,
    failed: bool,
}

impl Reader {
    /// The next thing to send; `None` when the server stops or the journal can't be read.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        while self.ready.is_empty() {
            if self.failed {
                return None;
            }
            let read = self.app.host.events(self.after, BATCH, HEARTBEAT);
            match self.app.unless_stopped(read).await? {
                Ok(events) => self.ready = events.into(),
                Err(error) => {
                    self.failed = true;
                    let problem = Failure::from(error).into_problem();
                    let data = serde_json::to_string(&problem).unwrap_or_default();
                    return Some((Ok(Event::default().event("problem").data(data)), self));
                }
            }
        }
        let event = self.ready.pop_front()?;
        self.after = event.seq;
        let data = serde_json::to_string(&show(&event)).unwrap_or_default();
        Some((Ok(Event::default().id(event.seq.to_string()).event(event.kind.name()).data(data)), self))
    }
}

/// Follow the journal. After a broken connection send the last `id` as `Last-Event-ID`: nothing is missed or repeated.
#[utoipa::path(get, operation_id = "events_follow", path = "/v1/events/stream", tag = "events",
    params(Start, ("Last-Event-ID" = Option<u64>, Header, description = "The place of the last event received")),
    responses((status = 200, content_type = "text/event-stream", body = String, description = "An event a message"),
        Problems))]
async fn follow(
    State(app): State<App>,
    headers: HeaderMap,
    Query(query): Query<Start>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let after = match headers.get(LAST_EVENT_ID) {
        None => query.after.unwrap_or(0),
        Some(id) => {
            let id = String::from_utf8_lossy(id.as_bytes());
            let wrong = || format!("Last-Event-ID is {}; give the `id` of an event", quoted(&id));
            id.parse().map_err(|_| Failure::bad_request(wrong()))?
        }
    };
    let reader = Reader { app, after, ready: VecDeque::new(), failed: false };
    Ok(Sse::new(stream::unfold(reader, Reader::next)).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}
