//! What transfers may use, changed while they run.

use std::num::NonZeroU64;

use axum::{Json as Answer, extract::State};
use tidegate_api::Limits;
use tidegate_core::Code;
use tidegate_engine as engine;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    http::{Failure, Json, Problems},
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get, put))
}

fn show(limits: engine::Limits) -> Limits {
    let rate = |rate: Option<NonZeroU64>| rate.map(NonZeroU64::get);
    Limits {
        upload_rate: rate(limits.upload_rate),
        download_rate: rate(limits.download_rate),
        requests: rate(limits.requests),
    }
}

/// A rate that is none is not the same as none.
fn rate(name: &str, rate: Option<u64>) -> Result<Option<NonZeroU64>, Failure> {
    let none = || Failure::new(Code::BadName, format!("`{name}` is 0; to lift the bound leave it out"));
    rate.map(|rate| NonZeroU64::new(rate).ok_or_else(none)).transpose()
}

/// What the transfers to and from the object target may use together.
#[utoipa::path(get, operation_id = "limits_get", path = "/v1/target/limits", tag = "target",
    responses((status = 200, body = Limits, description = "The limits"), Problems))]
async fn get(State(app): State<App>) -> Answer<Limits> {
    Answer(show(app.host.limits()))
}

/// Change them all: a bound that is left out is lifted. They hold at once, also for transfers under way, and until the host
/// restarts: then those of the configuration hold again.
#[utoipa::path(put, operation_id = "limits_put", path = "/v1/target/limits", tag = "target", request_body = Limits,
    responses((status = 200, body = Limits, description = "The limits"), Problems))]
async fn put(State(app): State<App>, Json(asked): Json<Limits>) -> Result<Answer<Limits>, Failure> {
    let limits = engine::Limits {
        upload_rate: rate("upload_rate", asked.upload_rate)?,
        download_rate: rate("download_rate", asked.download_rate)?,
        requests: rate("requests", asked.requests)?,
    };
    app.host.set_limits(limits)?;
    Ok(Answer(show(app.host.limits())))
}
