//! Jobs: accepted effects being carried out.

use axum::{Json as Answer, extract::State};
use tidegate_api::{Job, Page};
use tidegate_core::{EffectId, EffectKind, JobState};
use tidegate_engine::{JobInfo, JobPlace};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    http::{Cursor, Failure, Listing, Path, Problems, Query, limit, rfc3339},
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get, cancel))
}

fn show(info: JobInfo) -> Job {
    let JobInfo { job, bytes_done, bytes_total } = info;
    let (verb, place) = match &job.effect.kind {
        EffectKind::Replicate { target, .. } => ("replicate", target.to_string()),
        EffectKind::Prune { tier } => ("prune", tier.name().to_owned()),
        EffectKind::Pin => ("pin", String::new()),
        EffectKind::Unpin => ("unpin", String::new()),
    };
    let state = match job.state {
        JobState::Queued => "queued",
        JobState::Running => "running",
        JobState::Done => "done",
        JobState::Failed => "failed",
        JobState::Cancelled => "cancelled",
    };
    Job {
        id: job.id.into(),
        by: job.by,
        verb: verb.to_owned(),
        run: job.effect.run.into(),
        step: job.effect.step.get(),
        place,
        state: state.to_owned(),
        reason: job.effect.reason,
        detail: job.detail,
        failures: job.failures,
        bytes: bytes_done,
        bytes_total,
        created_at: rfc3339(job.created),
        updated_at: rfc3339(job.updated),
        not_before: rfc3339(job.not_before),
    }
}

/// An id from the path. A text that can't be one names no job: 404, like any other unknown id.
fn id(text: &str) -> Result<EffectId, Failure> {
    text.parse().map_err(|rule| Failure::new(tidegate_core::Code::UnknownJob, rule))
}

/// Jobs: those that run or wait, the last accepted first, then those that have ended, the last to end first. One that
/// ends between two pages may be shown twice; none is missed.
#[utoipa::path(get, operation_id = "jobs_list", path = "/v1/jobs", tag = "jobs",
    params(Listing), responses((status = 200, body = Page<Job>, description = "A page of jobs"), Problems))]
async fn list(State(app): State<App>, Query(query): Query<Listing>) -> Result<Answer<Page<Job>>, Failure> {
    const LISTING: &str = "jobs";
    let limit = limit(query.limit)?;
    let after = match &query.page {
        Some(page) => Some(Cursor::read(LISTING, page)?.key.parse::<JobPlace>()?),
        None => None,
    };
    // One more than asked tells whether there is a next page.
    let mut jobs = app.host.jobs(after, limit + 1).await?;
    let more = jobs.len() > limit;
    jobs.truncate(limit);
    let last = jobs.last().filter(|_| more);
    let next = last.map(|info| Cursor { listing: LISTING, key: JobPlace::of(&info.job).to_string() }.token());
    Ok(Answer(Page { items: jobs.into_iter().map(show).collect(), next }))
}

/// One job.
#[utoipa::path(get, operation_id = "jobs_get", path = "/v1/jobs/{id}", tag = "jobs",
    params(("id" = String, Path, description = "The job")),
    responses((status = 200, body = Job, description = "The job"), Problems))]
async fn get(State(app): State<App>, Path(job): Path<String>) -> Result<Answer<Job>, Failure> {
    Ok(Answer(show(app.host.job(&id(&job)?).await?)))
}

/// Call a job off.
#[utoipa::path(delete, operation_id = "jobs_cancel", path = "/v1/jobs/{id}", tag = "jobs",
    params(("id" = String, Path, description = "The job")),
    responses((status = 200, body = Job, description = "As it stands now"), Problems))]
async fn cancel(State(app): State<App>, Path(job): Path<String>) -> Result<Answer<Job>, Failure> {
    let id = id(&job)?;
    app.host.cancel(&id).await?;
    Ok(Answer(show(app.host.job(&id).await?)))
}
