//! What the host counts, for Prometheus.

use axum::{extract::State, http::header, response::IntoResponse};
use tidegate_core::Code;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    http::{Failure, Problems},
    metrics,
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(scrape))
}

/// What the host and its bots count, in Prometheus' text format. Names, types and units: `host/server/METRICS.md`. It waits
/// for no handler; of several who ask at once one is served after the other.
#[utoipa::path(get, operation_id = "metrics_scrape", path = "/metrics", tag = "health",
    responses((status = 200, body = String, content_type = "text/plain", description = "The samples"), Problems))]
async fn scrape(State(app): State<App>) -> Result<impl IntoResponse, Failure> {
    let turn = app.scrape_turn().await;
    // To its end also when nobody waits any more: whoever comes and goes must not have two pictures taken at once.
    let scrape = tokio::spawn(async move {
        let figures = app.host.figures().await?;
        let text = tokio::task::spawn_blocking(|| metrics::render(figures)).await;
        drop(turn);
        text.map_err(|error| Failure::new(Code::Internal, error.to_string()))
    });
    let text = scrape.await.map_err(|error| Failure::new(Code::Internal, error.to_string()))??;
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text))
}
