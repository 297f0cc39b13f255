//! The journal, read in order.

use axum::{Json as Answer, extract::State};
use serde::Deserialize;
use serde_json::{Map, Value};
use tidegate_api::{Event, Page};
use tidegate_core::Timestamp;
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

/// The fact that an event of this API tells, to the microsecond: as it is printed, so can it be read again.
///
/// # Errors
/// What is wrong with it, in words.
pub fn recorded(event: Event) -> Result<tidegate_core::Event, String> {
    let Event { seq, time, host, kind, mut what } = event;
    let at = chrono::DateTime::parse_from_rfc3339(&time).ok().and_then(|time| time.timestamp_nanos_opt());
    let nanos = at.and_then(|nanos| u64::try_from(nanos).ok());
    let time = nanos.map(Timestamp).ok_or_else(|| format!("`time`: {time:?} is no time of RFC 3339 since 1970"))?;
    let host = host.parse().map_err(|error| format!("`host`: {error}"))?;
    what.insert("kind".to_owned(), Value::String(kind));
    let kind = serde_json::from_value(Value::Object(what)).map_err(|error| error.to_string())?;
    Ok(tidegate_core::Event { seq, time, host, kind })
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

#[cfg(test)]
mod tests {
    use tidegate_core::EventKind;

    use super::*;

    #[test]
    fn what_is_shown_of_an_event_can_be_read_again() {
        let (run, step) = ("r".parse().unwrap(), 7.try_into().unwrap());
        let kind = EventKind::Pinned { run, step, by: "operator".into(), reason: "paper".into() };
        let host = "h".parse().unwrap();
        let event = tidegate_core::Event { seq: 3, time: Timestamp(1_794_787_200_123_456_000), host, kind };
        assert_eq!(recorded(show(&event)), Ok(event.clone()));
        let wrong = |change: fn(&mut Event)| {
            let mut shown = show(&event);
            change(&mut shown);
            recorded(shown).unwrap_err()
        };
        assert!(wrong(|it| it.time = "noon".into()).contains("noon"));
        assert!(wrong(|it| it.kind = "invented".into()).contains("invented"));
        assert!(wrong(|it| drop(it.what.remove("step"))).contains("step"));
        assert!(wrong(|it| it.host = "../h".into()).contains("`host`"));
    }
}
