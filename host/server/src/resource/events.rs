//! The journal, read in order.

use axum::{Json as Answer, extract::State};
use serde::Deserialize;
use serde_json::{Map, Value};
use tidegate_api::{Event, Page};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::{App, wait},
    http::{Failure, Problems, Query, limit, rfc3339},
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which events, and how long to wait for them.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Reading {
    /// Events after this place. Default = 0: from the beginning.
    after: Option<u64>,
    /// At most this many, 1 to 1000. Default = 100.
    limit: Option<usize>,
    /// Seconds to wait for the first event, 0 to 60; more is taken as 60. Default = 0.
    wait: Option<f64>,
}

pub(super) fn show(event: &tidegate_core::Event) -> Event {
    let what = match serde_json::to_value(&event.kind) {
        Ok(Value::Object(mut what)) => {
            what.remove("kind");
            what
        }
        _ => Map::new(),
    };
    Event {
        seq: event.seq,
        time: rfc3339(event.time),
        host: event.host.to_string(),
        kind: event.kind.name().to_owned(),
        what,
    }
}

/// Events in the order of the journal. The next page is after the `seq` of the last one.
#[utoipa::path(get, operation_id = "events_list", path = "/v1/events", tag = "events",
    params(Reading), responses((status = 200, body = Page<Event>, description = "The events"), Problems))]
async fn list(State(app): State<App>, Query(query): Query<Reading>) -> Result<Answer<Page<Event>>, Failure> {
    let (limit, patience) = (limit(query.limit)?, wait(query.wait)?);
    let read = app.host.events(query.after.unwrap_or(0), limit, patience);
    let events = app.unless_stopped(read).await.transpose()?.unwrap_or_default();
    Ok(Answer(Page { items: events.iter().map(show).collect(), next: None }))
}
