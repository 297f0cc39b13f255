//! Pins: who holds a checkpoint against every prune, and why.

use axum::{Json as Answer, extract::State};
use tidegate_api::{Checkpoint, PinRequest, UnpinRequest};
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

/// Take the operator's pin back, or the one of another holder (`by`), such as a bot that was removed. Durable when answered. If
/// that holder has none and others have, the problem names them.
#[utoipa::path(delete, operation_id = "pins_delete", path = "/v1/runs/{run}/checkpoints/{step}/pin", tag = "checkpoints",
    params(("run" = String, Path, description = "The run"), ("step" = String, Path, description = "The step")),
    request_body = Option<UnpinRequest>,
    responses((status = 200, body = Checkpoint, description = "The checkpoint"), Problems))]
async fn delete(
    State(app): State<App>,
    Path((run, step)): Path<(String, String)>,
    Optional(asked): Optional<UnpinRequest>,
) -> Result<Answer<Checkpoint>, Failure> {
    let of = asked.by.map(|by| by.parse()).transpose()?;
    Ok(Answer(show(app.host.unpin(&run.parse()?, step.parse()?, of, reason(asked.reason)?).await?)))
}
