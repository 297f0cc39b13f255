use std::time::Duration;

use tidegate_core::{EffectKind, Held, Job, Outcome, Tier, Timestamp};

use super::{
    conclude, prune,
    queue::{LOOK_AGAIN, Next},
    replicate,
};
use crate::{Host, track::Track};

/// Carries out jobs until the host stops.
pub(crate) async fn run(host: Host) {
    loop {
        match host.0.queue.next(host.0.clock.now(), host.0.options.uploads) {
            Next::Start(job, progress) => {
                let at_work = host.clone();
                host.0.tasks.spawn(async move { carry_out(at_work, job, progress).await });
            }
            Next::Late(job, held) => {
                let at_work = host.clone();
                host.0.tasks.spawn(async move { end(&at_work, &job, Outcome::Late(held)).await });
            }
            // The wall clock may step: never sleep long on its word.
            Next::Wait(wait) => {
                let _ = tokio::time::timeout(wait.max(Duration::from_millis(1)), host.0.queue.changed()).await;
            }
        }
    }
}

async fn carry_out(host: Host, job: Job, progress: Track) {
    // The queue may not know yet that it was called off: it was then not there, or on its way back.
    match host.job(&job.id).await {
        Ok(known) if known.job.state.ended() => return host.0.queue.back(&job.id, Some(known.job)),
        _ => {}
    }
    let work = async {
        match &job.effect.kind {
            EffectKind::Replicate { .. } => replicate::run(&host, &job, &progress).await,
            EffectKind::Prune { tier: Tier::Nvme } => prune::from_nvme(&host, &job).await,
            EffectKind::Prune { tier: Tier::Object } => prune::from_object(&host, &job).await,
            EffectKind::Pin | EffectKind::Unpin => Outcome::Failed("pins are no jobs".into()),
        }
    };
    let stopping = host.0.stopping.clone();
    let late = async {
        match job.deadline() {
            Some(deadline) => until(&host, deadline).await,
            None => std::future::pending().await,
        }
    };
    let outcome = tokio::select! {
        outcome = work => outcome,
        () = late => {
            progress.cancel();
            Outcome::Late(Held::Work)
        }
        () = stopping.cancelled() => {
            // Not a failed try: the job is in the index as it was, and goes on after the next start.
            progress.cancel();
            return;
        }
    };
    end(&host, &job, outcome).await;
}

/// Completes when the wall clock says so, also if it is set meanwhile.
async fn until(host: &Host, time: Timestamp) {
    loop {
        let left = time.since(host.0.clock.now());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(LOOK_AGAIN)).await;
    }
}

/// Writes down how a try ended. Durable before the queue knows.
async fn end(host: &Host, job: &Job, outcome: Outcome) {
    let (id, name) = (job.id.clone(), job.id.clone());
    match host.0.store.index().write_async(move |tx| conclude(tx, &name, outcome)).await {
        Ok(job) => {
            if let Some(job) = &job {
                let (verb, run, step) = (job.effect.kind.verb(), &job.effect.run, job.effect.step);
                tracing::info!(job = %job.id, ?verb, %run, %step, state = ?job.state, detail = job.detail, "a try of a job ended");
            }
            host.0.queue.back(&id, job);
        }
        Err(error) => tracing::error!(%error, job = %id, "how a job ended could not be written down"),
    }
}
