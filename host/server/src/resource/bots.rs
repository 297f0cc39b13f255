//! Bots: installed plugins with their settings, grants and triggers.

use axum::{Json as Answer, extract::State, http::StatusCode};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tidegate_api::{
    Amount, Bot, BotSpec, Candidate, Difference, Ledger, Page, Previous, Promote, Promoted, RolledBack,
};
use tidegate_core::{Grants, Mode, Triggers, told};
use tidegate_engine::{BotInfo, Change, Comparison, PROBATION, Promotion};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::trials;
use crate::{
    app::App,
    http::{Failure, Json, Path, Problems},
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get, put, uninstall))
        .routes(routes!(resume))
        .routes(routes!(promote))
        .routes(routes!(abandon))
        .routes(routes!(roll_back))
        .routes(routes!(decisions))
}

pub(super) fn json(value: impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

pub(crate) fn name_of(value: impl Serialize) -> String {
    json(value).as_str().unwrap_or_default().to_owned()
}

pub(super) fn show(bot: BotInfo) -> Bot {
    let (ledger, standing) = (&bot.ledger, bot.standing());
    Bot {
        name: bot.name.into(),
        plugin: bot.spec.plugin.to_string(),
        settings: bot.spec.settings,
        grants: json(&bot.spec.grants),
        triggers: json(&bot.spec.triggers),
        mode: json(bot.spec.mode),
        state: standing.name().to_owned(),
        parked: bot.parked,
        previous: bot.previous.map(|(plugin, events_left)| Previous { plugin: plugin.to_string(), events_left }),
        rolled_back: bot.rolled_back.map(|(spec, why)| {
            let (plugin, settings) = (spec.plugin.to_string(), spec.settings);
            RolledBack { plugin, settings, why }
        }),
        candidate: bot.candidate.map(|(spec, comparison)| candidate(spec, comparison)),
        metrics: bot.metrics,
        state_bytes: bot.state_bytes,
        cursor: bot.cursor,
        lag: bot.lag,
        handled: ledger.handled,
        effects: ledger.effects(),
        faults: ledger.faults,
        ledger: account(ledger),
        last_fault: bot.quarantined.or(bot.stopped).or(bot.last_fault),
        log: bot.log,
    }
}

fn account(ledger: &tidegate_core::Ledger) -> Ledger {
    let amount = |it: &tidegate_core::Amount| Amount { count: it.count, bytes: it.bytes };
    Ledger {
        fuel: ledger.fuel,
        wall_seconds: ledger.wall.as_secs_f64(),
        memory_peak_bytes: ledger.memory_peak,
        host_calls: ledger.host_calls,
        host_call_bytes: ledger.host_bytes,
        log_lines: ledger.log_lines,
        log_lines_dropped: ledger.log_dropped,
        effects: ledger.effects.iter().map(|(verb, it)| (name_of(verb), amount(it))).collect(),
        shadowed: ledger.shadowed,
        refused: ledger.refused.iter().map(|(why, count)| (name_of(why), *count)).collect(),
    }
}

fn candidate(spec: tidegate_engine::BotSpec, comparison: Comparison) -> Candidate {
    let differences = comparison
        .differences
        .into_iter()
        .map(|it| Difference { now: trials::decision(it.now), candidate: trials::decision(it.candidate) });
    Candidate {
        plugin: spec.plugin.to_string(),
        settings: spec.settings,
        grants: json(&spec.grants),
        triggers: json(&spec.triggers),
        same: comparison.same,
        different: comparison.different,
        failed: comparison.failed,
        last_failure: comparison.last_failure,
        differences: differences.collect(),
        stopped: comparison.stopped,
        ledger: account(&comparison.ledger),
    }
}

/// A part of a specification that this crate does not know in detail.
pub(super) fn part<T: DeserializeOwned + Default>(name: &str, value: Value) -> Result<T, Failure> {
    if value.is_null() {
        return Ok(T::default());
    }
    serde_path_to_error::deserialize(value).map_err(|error| match error.path().to_string().as_str() {
        "." => Failure::bad_request(format!("field `{name}`: {}", told(&error.inner().to_string()))),
        path => Failure::bad_request(format!("field `{name}.{}`: {}", told(path), told(&error.inner().to_string()))),
    })
}

/// No settings at all are none of them.
pub(super) fn settings(given: Value) -> Value {
    if given.is_null() { serde_json::json!({}) } else { given }
}

fn read(spec: BotSpec) -> Result<(tidegate_engine::BotSpec, Change), Failure> {
    let plugin = spec.plugin.parse().map_err(|error| Failure::bad_request(format!("field `plugin`: {error}")))?;
    let grants: Grants = part("grants", spec.grants)?;
    let triggers: Triggers = part("triggers", spec.triggers)?;
    let mode: Mode = part("mode", spec.mode)?;
    let change = match spec.beside {
        true => Change::Beside,
        false => Change::Swap { probation: spec.probation.unwrap_or(PROBATION) },
    };
    Ok((tidegate_engine::BotSpec { plugin, settings: settings(spec.settings), grants, triggers, mode }, change))
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

/// Install a bot, or change one. Its `configure` is asked about the settings first; nothing changes when it refuses. A new
/// version takes over between two events, with the state, which it may bring into its own form; if it fails on one of its
/// first events the version before it is put back. With `beside` it is only compared with the one at work.
#[utoipa::path(put, operation_id = "bots_put", path = "/v1/bots/{name}", tag = "bots",
    params(("name" = String, Path, description = "The bot")), request_body = BotSpec,
    responses((status = 200, body = Bot, description = "The bot"), Problems))]
async fn put(
    State(app): State<App>,
    Path(name): Path<String>,
    Json(spec): Json<BotSpec>,
) -> Result<Answer<Bot>, Failure> {
    let (spec, change) = read(spec)?;
    Ok(Answer(show(app.host.install(name.parse()?, spec, change).await?)))
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

/// Let the version that runs beside a bot take over. One that has failed is refused (`TG0038`), unless `force` is given.
#[utoipa::path(post, operation_id = "bots_promote", path = "/v1/bots/{name}/promote", tag = "bots",
    params(("name" = String, Path, description = "The bot")), request_body = Promote,
    responses((status = 200, body = Promoted, description = "The bot, and what should be known of the version"), Problems))]
async fn promote(
    State(app): State<App>,
    Path(name): Path<String>,
    Json(asked): Json<Promote>,
) -> Result<Answer<Promoted>, Failure> {
    let probation = asked.probation.unwrap_or(PROBATION);
    let Promotion { bot, warnings } = app.host.promote(&name.parse()?, probation, asked.force).await?;
    Ok(Answer(Promoted { bot: show(bot), warnings }))
}

/// End the comparison with the version that runs beside a bot.
#[utoipa::path(post, operation_id = "bots_abandon", path = "/v1/bots/{name}/abandon", tag = "bots",
    params(("name" = String, Path, description = "The bot")),
    responses((status = 200, body = Bot, description = "The bot"), Problems))]
async fn abandon(State(app): State<App>, Path(name): Path<String>) -> Result<Answer<Bot>, Failure> {
    Ok(Answer(show(app.host.abandon(&name.parse()?).await?)))
}

/// Put the version before this one back, while this one is not settled. What it decided stands; if it had changed the form
/// of the state, the state goes back as well, to what it was when this version took over. So do the times at which the bot is
/// to be woken: those that have passed since come at once, and those under keys of this version's own go.
#[utoipa::path(post, operation_id = "bots_roll_back", path = "/v1/bots/{name}/rollback", tag = "bots",
    params(("name" = String, Path, description = "The bot")),
    responses((status = 200, body = Bot, description = "The bot"), Problems))]
async fn roll_back(State(app): State<App>, Path(name): Path<String>) -> Result<Answer<Bot>, Failure> {
    Ok(Answer(show(app.host.roll_back(&name.parse()?).await?)))
}

/// What a bot in `shadow` or `canary` has decided lately, at most 256 events since it was put to work, oldest first.
#[utoipa::path(get, operation_id = "bots_decisions", path = "/v1/bots/{name}/decisions", tag = "bots",
    params(("name" = String, Path, description = "The bot")),
    responses((status = 200, body = Page<tidegate_api::Decision>, description = "The decisions"), Problems))]
async fn decisions(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Answer<Page<tidegate_api::Decision>>, Failure> {
    let items = app.host.decisions(&name.parse()?)?.into_iter().map(trials::decision).collect();
    Ok(Answer(Page { items, next: None }))
}
