//! Restores: a checkpoint's exact bytes, brought back into a directory.

use std::{path::PathBuf, time::Duration};

use axum::{
    Json as Answer,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use tidegate_api::{From, Restore, RestoreRequest, RestoreState, StepChoice};
use tidegate_core::{Code, Rank, Step};
use tidegate_engine::RestoreInfo;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::{App, wait},
    http::{Failure, Json, Path, Peer, Problems, Query, problem},
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(begin)).routes(routes!(get, release))
}

/// How long to hold the answer back.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Waiting {
    /// Seconds to wait for the end of the restore, 0 to 60; more is taken as 60. Default = 0.
    wait: Option<f64>,
}

fn show(info: RestoreInfo) -> Restore {
    let (state, error) = match info.state {
        tidegate_engine::RestoreState::Running => (RestoreState::Running, None),
        tidegate_engine::RestoreState::Done => (RestoreState::Done, None),
        tidegate_engine::RestoreState::Failed(error) => (RestoreState::Failed, Some(problem(error.code, error.detail))),
    };
    Restore {
        id: info.id,
        run: info.run.into(),
        step: info.step.get(),
        state,
        path: info.path.to_string_lossy().into_owned(),
        world_size: info.world_size.get(),
        metrics: info.metrics.into(),
        bytes_total: info.bytes_total,
        bytes_done: info.bytes_done,
        from: From { nvme: info.nvme, object: info.object },
        seconds: info.elapsed.as_secs_f64(),
        error,
    }
}

fn answer(info: RestoreInfo) -> Response {
    let restore = show(info);
    let status = if restore.state == RestoreState::Running { StatusCode::ACCEPTED } else { StatusCode::OK };
    (status, Answer(restore)).into_response()
}

fn choice(step: StepChoice) -> Result<Option<Step>, Failure> {
    match step {
        StepChoice::Step(step) => Ok(Some(Step::try_from(step)?)),
        StepChoice::Name(name) if name == "latest" => Ok(None),
        StepChoice::Name(name) => Ok(Some(name.parse()?)),
    }
}

/// Waits for the end of a restore, `patience` long at most and not beyond the end of the server.
async fn settle(app: &App, id: &str, patience: Duration) -> Result<RestoreInfo, Failure> {
    match app.unless_stopped(app.host.restore_info(id, patience)).await {
        Some(info) => Ok(info?),
        None => Ok(app.host.restore_info(id, Duration::ZERO).await?),
    }
}

/// Restore a checkpoint from the nearest tiers that have it, every block verified, into a directory that appears whole or
/// not at all.
#[utoipa::path(post, operation_id = "restores_begin", path = "/v1/restores", tag = "restores",
    params(Waiting), request_body = RestoreRequest,
    responses((status = 200, body = Restore, description = "It has ended: see `state`"),
        (status = 202, body = Restore, description = "It runs"), Problems))]
async fn begin(
    State(app): State<App>,
    peer: Peer,
    Query(query): Query<Waiting>,
    Json(asked): Json<RestoreRequest>,
) -> Result<Response, Failure> {
    let patience = wait(query.wait)?;
    if asked.into.is_some() && peer.writer().is_none() {
        return Err(Failure::new(
            Code::NotLocal,
            "`into` names a directory of the asking process, and nobody vouches for yours: ask over the Unix socket",
        ));
    }
    let ranks = asked.ranks.map(|ranks| ranks.into_iter().map(|rank| Rank::try_from(u64::from(rank))).collect());
    let request = tidegate_engine::RestoreRequest {
        run: asked.run.parse()?,
        step: choice(asked.step)?,
        ranks: ranks.transpose()?,
        into: asked.into.map(PathBuf::from),
        owner: peer.writer(),
    };
    let info = app.host.restore(request).await?;
    if patience.is_zero() {
        return Ok(answer(info));
    }
    Ok(answer(settle(&app, &info.id, patience).await?))
}

/// How a restore stands.
#[utoipa::path(get, operation_id = "restores_get", path = "/v1/restores/{id}", tag = "restores",
    params(("id" = String, Path, description = "The restore"), Waiting),
    responses((status = 200, body = Restore, description = "It has ended: see `state`"),
        (status = 202, body = Restore, description = "It runs"), Problems))]
async fn get(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(query): Query<Waiting>,
) -> Result<Response, Failure> {
    Ok(answer(settle(&app, &id, wait(query.wait)?).await?))
}

/// Release a restore: one that runs is called off, a directory of the host's is removed, one of the caller's stays.
#[utoipa::path(delete, operation_id = "restores_release", path = "/v1/restores/{id}", tag = "restores",
    params(("id" = String, Path, description = "The restore")),
    responses((status = 204, description = "It is forgotten"), Problems))]
async fn release(State(app): State<App>, peer: Peer, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    app.host.check_restore_owner(&id, peer.user())?;
    app.host.release_restore(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
