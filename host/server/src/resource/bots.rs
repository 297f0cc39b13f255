//! Bots: installed plugins with their settings, grants and triggers.

use axum::{Json as Answer, extract::State, http::StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tidegate_api::{Bot, BotSpec, Page};
use tidegate_core::{Grants, Triggers};
use tidegate_engine::BotInfo;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    http::{Failure, Json, Path, Problems},
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get, put, uninstall)).routes(routes!(resume))
}

fn show(bot: BotInfo) -> Bot {
    let json = |value: Result<Value, serde_json::Error>| value.unwrap_or_default();
    Bot {
        name: bot.name.into(),
        plugin: bot.spec.plugin.to_string(),
        settings: bot.spec.settings,
        grants: json(serde_json::to_value(&bot.spec.grants)),
        triggers: json(serde_json::to_value(&bot.spec.triggers)),
        state: if bot.quarantined.is_some() { "quarantined" } else { "running" }.to_owned(),
        cursor: bot.cursor,
        lag: bot.lag,
        handled: bot.handled,
        effects: bot.effects,
        faults: bot.faults,
        last_fault: bot.quarantined.or(bot.last_fault),
        log: bot.log,
    }
}

/// A part of a specification that this crate does not know in detail.
fn part<T: DeserializeOwned + Default>(name: &str, value: Value) -> Result<T, Failure> {
    if value.is_null() {
        return Ok(T::default());
    }
    serde_path_to_error::deserialize(value)
        .map_err(|error| Failure::bad_request(format!("field `{name}.{}`: {}", error.path(), error.inner())))
}

fn read(spec: BotSpec) -> Result<tidegate_engine::BotSpec, Failure> {
    let plugin = spec.plugin.parse().map_err(|error| Failure::bad_request(format!("field `plugin`: {error}")))?;
    let grants: Grants = part("grants", spec.grants)?;
    let triggers: Triggers = part("triggers", spec.triggers)?;
    Ok(tidegate_engine::BotSpec { plugin, settings: spec.settings, grants, triggers })
}

/// The installed bots.
#[utoipa::path(get, operation_id = "bots_list", path = "/v1/bots", tag = "bots",
    responses((status = 200, body = Page<Bot>, description = "The bots"), Problems))]
async fn list(State(app): State<App>) -> Result<Answer<Page<Bot>>, Failure> {
    let items = app.host.bots().await?.into_iter().map(show).collect();
    Ok(Answer(Page { items, next: None }))
}

/// One bot.
#[utoipa::path(get, operation_id = "bots_get", path = "/v1/bots/{name}", tag = "bots",
    params(("name" = String, Path, description = "The bot")),
    responses((status = 200, body = Bot, description = "The bot"), Problems))]
async fn get(State(app): State<App>, Path(name): Path<String>) -> Result<Answer<Bot>, Failure> {
    Ok(Answer(show(app.host.bot(&name.parse()?).await?)))
}

/// Install a bot, or change one. Its `configure` is asked about the settings first; nothing changes when it refuses.
#[utoipa::path(put, operation_id = "bots_put", path = "/v1/bots/{name}", tag = "bots",
    params(("name" = String, Path, description = "The bot")), request_body = BotSpec,
    responses((status = 200, body = Bot, description = "The bot"), Problems))]
async fn put(
    State(app): State<App>,
    Path(name): Path<String>,
    Json(spec): Json<BotSpec>,
) -> Result<Answer<Bot>, Failure> {
    Ok(Answer(show(app.host.install(name.parse()?, read(spec)?).await?)))
}

/// Remove a bot with its state. Effects that were accepted are carried out.
#[utoipa::path(delete, operation_id = "bots_uninstall", path = "/v1/bots/{name}", tag = "bots",
    params(("name" = String, Path, description = "The bot")),
    responses((status = 204, description = "It is gone"), Problems))]
async fn uninstall(State(app): State<App>, Path(name): Path<String>) -> Result<StatusCode, Failure> {
    app.host.uninstall(&name.parse()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Let a quarantined bot try again, at the event that it failed on.
#[utoipa::path(post, operation_id = "bots_resume", path = "/v1/bots/{name}/resume", tag = "bots",
    params(("name" = String, Path, description = "The bot")),
    responses((status = 200, body = Bot, description = "The bot"), Problems))]
async fn resume(State(app): State<App>, Path(name): Path<String>) -> Result<Answer<Bot>, Failure> {
    Ok(Answer(show(app.host.resume(&name.parse()?).await?)))
}
