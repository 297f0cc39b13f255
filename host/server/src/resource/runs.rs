//! Training runs.

use axum::{Json as Answer, extract::State};
use tidegate_api::{Page, Run};
use tidegate_core::RunName;
use tidegate_engine::RunSummary;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    http::{Cursor, Failure, Listing, Path, Problems, Query, limit},
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

fn show(run: RunSummary) -> Run {
    Run {
        run: run.run.into(),
        world_size: run.world_size,
        checkpoints: run.checkpoints,
        latest_complete: run.latest_complete.map(u64::from),
        latest_durable: run.latest_durable.map(u64::from),
    }
}

/// The runs that this host knows, by name.
#[utoipa::path(get, operation_id = "runs_list", path = "/v1/runs", tag = "runs",
    params(Listing), responses((status = 200, body = Page<Run>, description = "A page of runs"), Problems))]
async fn list(State(app): State<App>, Query(query): Query<Listing>) -> Result<Answer<Page<Run>>, Failure> {
    const LISTING: &str = "runs";
    let limit = limit(query.limit)?;
    let after = match &query.page {
        Some(page) => Some(Cursor::read(LISTING, page)?.key.parse::<RunName>()?),
        None => None,
    };
    // One more than asked tells whether there is a next page.
    let mut runs = app.host.runs(after, limit + 1).await?;
    let more = runs.len() > limit;
    runs.truncate(limit);
    let last = runs.last().filter(|_| more);
    let next = last.map(|run| Cursor { listing: LISTING, key: run.run.to_string() }.token());
    Ok(Answer(Page { items: runs.into_iter().map(show).collect(), next }))
}

/// One run.
#[utoipa::path(get, operation_id = "runs_get", path = "/v1/runs/{run}", tag = "runs",
    params(("run" = String, Path, description = "The run")),
    responses((status = 200, body = Run, description = "The run"), Problems))]
async fn get(State(app): State<App>, Path(run): Path<String>) -> Result<Answer<Run>, Failure> {
    Ok(Answer(show(app.host.run(&run.parse()?).await?)))
}
