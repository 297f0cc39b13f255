//! Saves in progress. `begin` and `commit` are on the trainer's path: each is one call of the engine and nothing else.

use axum::{
    Json as Answer,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use tidegate_api::{Begin, Commit, Committed, Page, Save};
use tidegate_core::{Code, Metrics, Rank, SaveId, Step, WorldSize, limits};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    http::{Cursor, Failure, Json, Listing, Optional, Path, Peer, Problems, Query, limit, rfc3339},
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(begin, list))
        .routes(routes!(commit))
        .routes(routes!(touch))
        .routes(routes!(abort))
}

fn show(save: tidegate_engine::Save) -> Save {
    Save {
        save_id: save.id.into(),
        run: save.run.into(),
        step: save.step.get(),
        rank: save.rank.get(),
        path: save.path.to_string_lossy().into_owned(),
        expires_at: rfc3339(save.expires),
    }
}

/// Begin a save: room is set aside, and a staging directory is answered. Write any files below it, then commit.
#[utoipa::path(post, operation_id = "saves_begin", path = "/v1/saves", tag = "saves",
    request_body = Begin, responses((status = 201, body = Save, description = "A new staging directory"), Problems))]
async fn begin(State(app): State<App>, peer: Peer, Json(asked): Json<Begin>) -> Result<Response, Failure> {
    if let Some(bytes) = asked.bytes.filter(|bytes| *bytes > limits::SHARD_BYTES) {
        let detail = format!("`bytes` is {bytes}; a shard may have {} (16 TiB)", limits::SHARD_BYTES);
        return Err(Failure::new(Code::BadName, detail));
    }
    let begin = tidegate_engine::Begin {
        run: asked.run.parse()?,
        step: Step::try_from(asked.step)?,
        rank: Rank::try_from(u64::from(asked.rank))?,
        world_size: WorldSize::try_from(u64::from(asked.world_size))?,
        bytes: asked.bytes,
        writer: peer.writer(),
    };
    let save = show(app.host.begin(begin).await?);
    let location = HeaderValue::try_from(format!("/v1/saves/{}", save.save_id));
    let mut response = (StatusCode::CREATED, Answer(save)).into_response();
    if let Ok(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// The saves in progress, by id.
#[utoipa::path(get, operation_id = "saves_list", path = "/v1/saves", tag = "saves",
    params(Listing), responses((status = 200, body = Page<Save>, description = "A page of saves"), Problems))]
async fn list(State(app): State<App>, Query(query): Query<Listing>) -> Result<Answer<Page<Save>>, Failure> {
    const LISTING: &str = "saves";
    let limit = limit(query.limit)?;
    let after = query.page.map(|page| Cursor::read(LISTING, &page)).transpose()?.map(|cursor| cursor.key);
    let mut saves = app.host.saves();
    saves.retain(|save| after.as_deref().is_none_or(|after| save.id.as_str() > after));
    let more = saves.len() > limit;
    saves.truncate(limit);
    let last = saves.last().filter(|_| more);
    let next = last.map(|save| Cursor { listing: LISTING, key: save.id.to_string() }.token());
    Ok(Answer(Page { items: saves.into_iter().map(show).collect(), next }))
}

/// Commit a save. When the answer comes, the shard survives `kill -9` and power loss. Committing the same save again
/// gives the same answer.
#[utoipa::path(post, operation_id = "saves_commit", path = "/v1/saves/{id}/commit", tag = "saves",
    params(("id" = String, Path, description = "The save")), request_body = Option<Commit>,
    responses((status = 200, body = Committed, description = "What was committed"), Problems))]
async fn commit(
    State(app): State<App>,
    peer: Peer,
    Path(id): Path<String>,
    Optional(asked): Optional<Commit>,
) -> Result<Answer<Committed>, Failure> {
    let id = id.parse::<SaveId>()?;
    app.host.check_save_owner(&id, peer.user())?;
    let done = app.host.commit(&id, Metrics::try_from(asked.metrics)?).await?;
    Ok(Answer(Committed {
        run: done.run.into(),
        step: done.step.get(),
        rank: done.rank.get(),
        bytes: done.bytes,
        files: done.files,
        complete: done.complete,
        seq: done.seq,
        reused: done.reused,
    }))
}

/// Say that a save is still being written: its deadline moves.
#[utoipa::path(post, operation_id = "saves_touch", path = "/v1/saves/{id}/touch", tag = "saves",
    params(("id" = String, Path, description = "The save")),
    responses((status = 200, body = Save, description = "The save, with its new deadline"), Problems))]
async fn touch(State(app): State<App>, peer: Peer, Path(id): Path<String>) -> Result<Answer<Save>, Failure> {
    let id = id.parse()?;
    app.host.check_save_owner(&id, peer.user())?;
    Ok(Answer(show(app.host.touch(&id).await?)))
}

/// Abort a save: what was written is removed.
#[utoipa::path(delete, operation_id = "saves_abort", path = "/v1/saves/{id}", tag = "saves",
    params(("id" = String, Path, description = "The save")),
    responses((status = 204, description = "Nothing of it is left"), Problems))]
async fn abort(State(app): State<App>, peer: Peer, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    let id = id.parse()?;
    app.host.check_save_owner(&id, peer.user())?;
    app.host.abort(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
