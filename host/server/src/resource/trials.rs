//! Trials: what a bot would have decided.

use axum::{Json as Answer, extract::State};
use tidegate_api::{Asked, CalledOff, Decision, Problem, Trial, TrialRequest, Wake};
use tidegate_core::Mode;
use tidegate_engine::Host;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::bots::{json, part, settings};
use crate::{
    app::App,
    http::{Failure, Json, Problems, rfc3339},
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(run))
}

pub(super) fn decision(it: tidegate_core::Decision) -> Decision {
    let asked = it.asked.into_iter().map(|asked| Asked {
        effect: json(&asked.effect),
        accepted: asked.answer.is_ok(),
        answer: asked.answer.map_or_else(|refusal| refusal.to_string(), String::from),
    });
    Decision {
        event: it.event,
        time: rfc3339(it.time),
        kind: it.kind,
        asked: asked.collect(),
        cancels: it.cancels.into_iter().map(called_off).collect(),
        wakes: it.wakes.into_iter().map(|(key, at)| Wake { key, at: at.map(rfc3339) }).collect(),
        fault: it.fault,
        log: it.log,
    }
}

fn called_off(it: tidegate_core::CalledOff) -> CalledOff {
    let refused = it.answer.err().map(|refusal| refusal.to_string());
    CalledOff { effect: it.effect.to_string(), reason: it.reason, refused }
}

/// What a bot would have decided about the facts of the journal, had it been there: nothing is done, and nothing is kept.
/// Effects are judged against the catalogue as it was at each event. Facts that are for one bot alone (`started`, `woken`,
/// `job-finished`) reach only a trial under that bot's name. One trial at a time (429), for at most half a minute: what is
/// left has `end` false.
#[utoipa::path(post, operation_id = "trials_run", path = "/v1/trials", tag = "bots", request_body = TrialRequest,
    responses((status = 200, body = Trial, description = "What it would have decided"), Problems))]
async fn run(State(app): State<App>, Json(asked): Json<TrialRequest>) -> Result<Answer<Trial>, Failure> {
    Ok(Answer(of(&app.host, asked).await?))
}

/// What `POST /v1/trials` answers, of a host that no server is before.
///
/// # Errors
/// As it answers them.
pub async fn try_out(host: &Host, asked: TrialRequest) -> Result<Trial, Problem> {
    of(host, asked).await.map_err(Failure::into_problem)
}

async fn of(host: &Host, asked: TrialRequest) -> Result<Trial, Failure> {
    let name = asked.name.as_deref().unwrap_or("trial").parse()?;
    let plugin = asked.plugin.parse().map_err(|error| Failure::bad_request(format!("field `plugin`: {error}")))?;
    let limit = asked.limit.unwrap_or(100);
    if !(1..=1_000).contains(&limit) {
        return Err(Failure::bad_request(format!("field `limit`: 1 to 1000, not {limit}")));
    }
    let spec = tidegate_engine::BotSpec {
        plugin,
        settings: settings(asked.settings),
        grants: part("grants", asked.grants)?,
        triggers: part("triggers", asked.triggers)?,
        mode: Mode::Enforce,
    };
    let tried = host.try_out(name, spec, asked.after, usize::try_from(limit).unwrap_or(1_000)).await?;
    let decisions = tried.decisions.into_iter().map(decision).collect();
    Ok(Trial { decisions, handled: tried.handled, through: tried.through, end: tried.end })
}
