//! An operator's wish that a checkpoint's bytes go from a tier. The guard has the last word, as with bots.

use axum::{Json as Answer, extract::State};
use tidegate_api::{PruneAnswer, PruneRequest, Tier};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::pins::reason;
use crate::{
    app::App,
    http::{Failure, Json, Path, Problems},
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(prune))
}

/// Prune a checkpoint from a tier, or ask with `dry_run` what the guard would say. A refusal says which promise it keeps.
#[utoipa::path(post, operation_id = "prunings_prune", path = "/v1/runs/{run}/checkpoints/{step}/prune", tag = "checkpoints",
    params(("run" = String, Path, description = "The run"), ("step" = String, Path, description = "The step")),
    request_body = PruneRequest, responses((status = 200, body = PruneAnswer, description = "Admitted"), Problems))]
async fn prune(
    State(app): State<App>,
    Path((run, step)): Path<(String, String)>,
    Json(asked): Json<PruneRequest>,
) -> Result<Answer<PruneAnswer>, Failure> {
    let tier = match asked.tier {
        Tier::Nvme => tidegate_core::Tier::Nvme,
        Tier::Object => tidegate_core::Tier::Object,
    };
    let why = reason(asked.reason)?;
    let answer = app.host.prune(&run.parse()?, step.parse()?, tier, why, asked.dry_run).await?;
    Ok(Answer(PruneAnswer { job: answer.job.map(String::from), because: answer.because }))
}
