//! Pins: who holds a checkpoint against every prune, and why.

use axum::{Json as Answer, extract::State};
use serde::Deserialize;
use tidegate_api::{Checkpoint, PinRequest};
use tidegate_core::{Code, limits};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::checkpoints::show;
use crate::{
    app::App,
    http::{Failure, Json, Optional, Path, Problems},
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(put, delete))
}

/// Why a pin is taken back; it may go without saying.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unpin {
    reason: String,
}

impl Default for Unpin {
    fn default() -> Self {
        Self { reason: "taken back by the operator".to_owned() }
    }
}

/// A reason within its bounds.
pub(super) fn reason(text: String) -> Result<String, Failure> {
    if (1..=limits::REASON_BYTES).contains(&text.len()) && !text.chars().any(char::is_control) {
        return Ok(text);
    }
    let detail = format!("`reason` has {} bytes; give 1 to 512 without control characters", text.len());
    Err(Failure::new(Code::BadName, detail))
}

/// Hold a checkpoint: nothing prunes it until every pin is taken back. Durable when answered.
#[utoipa::path(put, operation_id = "pins_put", path = "/v1/runs/{run}/checkpoints/{step}/pin", tag = "checkpoints",
    params(("run" = String, Path, description = "The run"), ("step" = String, Path, description = "The step")),
    request_body = PinRequest,
    responses((status = 200, body = Checkpoint, description = "The checkpoint"), Problems))]
async fn put(
    State(app): State<App>,
    Path((run, step)): Path<(String, String)>,
    Json(asked): Json<PinRequest>,
) -> Result<Answer<Checkpoint>, Failure> {
    Ok(Answer(show(app.host.pin(&run.parse()?, step.parse()?, reason(asked.reason)?).await?)))
}

/// Take the operator's pin back. Durable when answered.
#[utoipa::path(delete, operation_id = "pins_delete", path = "/v1/runs/{run}/checkpoints/{step}/pin", tag = "checkpoints",
    params(("run" = String, Path, description = "The run"), ("step" = String, Path, description = "The step")),
    request_body = Option<PinRequest>,
    responses((status = 200, body = Checkpoint, description = "The checkpoint"), Problems))]
async fn delete(
    State(app): State<App>,
    Path((run, step)): Path<(String, String)>,
    Optional(asked): Optional<Unpin>,
) -> Result<Answer<Checkpoint>, Failure> {
    Ok(Answer(show(app.host.unpin(&run.parse()?, step.parse()?, reason(asked.reason)?).await?)))
}
