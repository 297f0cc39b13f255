//! How the host is.

use axum::{Json as Answer, extract::State, http::StatusCode};
use tidegate_api::{Health, Readiness};
use tidegate_engine::HealthInfo;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{app::App, http::Problems};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(live)).routes(routes!(ready)).routes(routes!(get))
}

fn show(health: HealthInfo) -> Health {
    let checks = health.checks.into_iter();
    Health {
        host: health.host.into(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ready: health.ready,
        degraded: health.degraded,
        checks: checks.map(|it| Readiness { name: it.name.to_owned(), ok: it.ok, detail: it.detail }).collect(),
        journal: health.journal,
        tier_free: health.tier_free,
        tier_size: health.tier_size,
        saves: health.saves,
        jobs: health.jobs,
        object: health.object,
    }
}

/// Whether the process answers at all.
#[utoipa::path(get, operation_id = "health_live", path = "/livez", tag = "health",
    responses((status = 200, body = String, description = "It does")))]
async fn live() -> &'static str {
    "ok\n"
}

/// Whether the host can take saves: 200, or 503 with the checks that fail. An object store that is away and bots that
/// stand still or could not be installed stop no trainer: the answer is 200, with `degraded` and the checks that say so.
#[utoipa::path(get, operation_id = "health_ready", path = "/readyz", tag = "health",
    responses((status = 200, body = Health, description = "The host"),
        (status = 503, body = Health, description = "Some check fails that saves need")))]
async fn ready(State(app): State<App>) -> (StatusCode, Answer<Health>) {
    let health = show(app.host.health().await);
    (if health.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Answer(health))
}

/// What the host says of itself.
#[utoipa::path(get, operation_id = "health_get", path = "/v1/health", tag = "health",
    responses((status = 200, body = Health, description = "The host"), Problems))]
async fn get(State(app): State<App>) -> Answer<Health> {
    Answer(show(app.host.health().await))
}
