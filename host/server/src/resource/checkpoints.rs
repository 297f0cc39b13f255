//! Checkpoints of a run.

use axum::{Json as Answer, extract::State};
use tidegate_api::{Checkpoint, Page, Pin, Shard, Tier};
use tidegate_core::{RunName, Step};
use tidegate_engine::CheckpointInfo;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    http::{Cursor, Failure, Listing, Path, Problems, Query, limit, rfc3339},
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

pub(super) fn show(info: CheckpointInfo) -> Checkpoint {
    let CheckpointInfo { checkpoint: it, kept_because } = info;
    let shard = |shard: &tidegate_core::Shard| Shard {
        rank: shard.rank.get(),
        bytes: shard.bytes,
        files: u64::from(shard.files),
        sealed: shard.body.is_some(),
        body: shard.body.map(|digest| digest.to_string()),
        nvme: shard.copy(tidegate_core::Tier::Nvme).is_some(),
        object: shard.verified(tidegate_core::Tier::Object),
        base: shard.copy(tidegate_core::Tier::Object).and_then(|copy| copy.base).map(|base| base.get()),
    };
    let held = it.pins.iter().filter(|pin| pin.until.is_none());
    Checkpoint {
        step: it.step.get(),
        world_size: it.world_size.get(),
        complete: it.complete.is_some(),
        lost: it.lost(),
        bytes: it.bytes(),
        pinned: it.pinned(),
        pins: held.map(|pin| Pin { by: pin.by.clone(), reason: pin.reason.clone() }).collect(),
        tiers: it.verified_tiers().map(show_tier).collect(),
        shards: it.shards.values().map(shard).collect(),
        created_at: rfc3339(it.created),
        metrics: it.metrics.into(),
        run: it.run.into(),
        kept_because,
    }
}

fn show_tier(tier: tidegate_core::Tier) -> Tier {
    match tier {
        tidegate_core::Tier::Nvme => Tier::Nvme,
        tidegate_core::Tier::Object => Tier::Object,
    }
}

/// A run's checkpoints, newest first, complete or not.
#[utoipa::path(get, operation_id = "checkpoints_list", path = "/v1/runs/{run}/checkpoints", tag = "checkpoints",
    params(("run" = String, Path, description = "The run"), Listing),
    responses((status = 200, body = Page<Checkpoint>, description = "A page of checkpoints"), Problems))]
async fn list(
    State(app): State<App>,
    Path(run): Path<String>,
    Query(query): Query<Listing>,
) -> Result<Answer<Page<Checkpoint>>, Failure> {
    let run: RunName = run.parse()?;
    let limit = limit(query.limit)?;
    let listing = format!("checkpoints {run}");
    let before = match &query.page {
        Some(page) => Some(Cursor::read(&listing, page)?.key.parse::<Step>()?),
        None => None,
    };
    // One more than asked tells whether there is a next page.
    let mut items = app.host.checkpoints(&run, before, limit + 1).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| more);
    let next = last.map(|info| Cursor { listing: &listing, key: info.checkpoint.step.to_string() }.token());
    Ok(Answer(Page { items: items.into_iter().map(show).collect(), next }))
}

/// One checkpoint, or `latest`: the newest complete one. A run that this host does not know is looked for in object
/// storage.
#[utoipa::path(get, operation_id = "checkpoints_get", path = "/v1/runs/{run}/checkpoints/{step}", tag = "checkpoints",
    params(("run" = String, Path, description = "The run"), ("step" = String, Path, description = "A step, or `latest`")),
    responses((status = 200, body = Checkpoint, description = "The checkpoint"), Problems))]
async fn get(State(app): State<App>, Path((run, step)): Path<(String, String)>) -> Result<Answer<Checkpoint>, Failure> {
    let run: RunName = run.parse()?;
    let found = match step.as_str() {
        "latest" => app.host.latest(&run).await?,
        step => app.host.checkpoint(&run, step.parse()?).await?,
    };
    Ok(Answer(show(found)))
}
