//! Letters: events that a bot could not handle, parked.

use axum::{Json as Answer, extract::State, http::StatusCode};
use tidegate_api::{Bot, Letter, Page, Replay};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{bots, events};
use crate::{
    app::App,
    http::{Failure, Path, Problems, rfc3339},
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(skip)).routes(routes!(discard)).routes(routes!(replay))
}

fn show(letter: tidegate_engine::Letter) -> Letter {
    Letter {
        event: events::show(&letter.event),
        fault: letter.fault,
        plugin: letter.plugin.to_string(),
        settings: serde_json::from_str(&letter.settings).unwrap_or_default(),
        parked_at: rfc3339(letter.parked),
        replay: letter.replay,
    }
}

/// The place of an event from the path. A text that is no number names no event: 404.
fn place(text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| Failure::new(tidegate_core::Code::UnknownEvent, "an event's place is a number"))
}

/// The events that a bot could not handle, in their order, at most 1000; with the one that it stands at in quarantine.
#[utoipa::path(get, operation_id = "letters_list", path = "/v1/bots/{name}/letters", tag = "bots",
    params(("name" = String, Path, description = "The bot")),
    responses((status = 200, body = Page<Letter>, description = "The parked events"), Problems))]
async fn list(State(app): State<App>, Path(name): Path<String>) -> Result<Answer<Page<Letter>>, Failure> {
    let items = app.host.letters(&name.parse()?).await?.into_iter().map(show).collect();
    Ok(Answer(Page { items, next: None }))
}

/// Let a quarantined bot go past the event that it stands at. The event stays parked.
#[utoipa::path(post, operation_id = "bots_skip", path = "/v1/bots/{name}/skip", tag = "bots",
    params(("name" = String, Path, description = "The bot")),
    responses((status = 200, body = Bot, description = "The bot"), Problems))]
async fn skip(State(app): State<App>, Path(name): Path<String>) -> Result<Answer<Bot>, Failure> {
    Ok(Answer(bots::show(app.host.skip(&name.parse()?).await?)))
}

/// Have a parked event handed to the bot again: soon if it is at work, else once it is resumed. If it goes well it is no longer
/// parked.
#[utoipa::path(post, operation_id = "letters_replay", path = "/v1/bots/{name}/letters/{event}/replay", tag = "bots",
    params(("name" = String, Path, description = "The bot"), ("event" = u64, Path, description = "Its place")),
    responses((status = 200, body = Replay, description = "The parked event, and how the bot stands"), Problems))]
async fn replay(
    State(app): State<App>,
    Path((name, event)): Path<(String, String)>,
) -> Result<Answer<Replay>, Failure> {
    let (letter, standing) = app.host.replay(&name.parse()?, place(&event)?).await?;
    Ok(Answer(Replay { letter: show(letter), bot_state: standing.name().to_owned() }))
}

/// Throw a parked event away.
#[utoipa::path(delete, operation_id = "letters_drop", path = "/v1/bots/{name}/letters/{event}", tag = "bots",
    params(("name" = String, Path, description = "The bot"), ("event" = u64, Path, description = "Its place")),
    responses((status = 204, description = "It is gone"), Problems))]
async fn discard(State(app): State<App>, Path((name, event)): Path<(String, String)>) -> Result<StatusCode, Failure> {
    app.host.drop_letter(&name.parse()?, place(&event)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
