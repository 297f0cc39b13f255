use tidegate_core::{EffectKind, Job, Outcome, Tier};

use super::{conclude, prune, replicate};
use crate::{Host, track::Track};

/// Carries out jobs until the host stops.
pub(crate) async fn run(host: Host) {
    loop {
        match host.0.queue.next(host.0.clock.now(), host.0.options.uploads) {
            Ok((job, progress)) => {
                let at_work = host.clone();
                host.0.tasks.spawn(async move { carry_out(at_work, job, progress).await });
            }
            // The wall clock may step: never sleep long on its word.
            Err(wait) => {
                let _ =
                    tokio::time::timeout(wait.max(std::time::Duration::from_millis(1)), host.0.queue.changed()).await;
            }
        }
    }
}

async fn carry_out(host: Host, job: Job, progress: Track) {
    let id = job.id.clone();
    let work = async {
        match &job.effect.kind {
            EffectKind::Replicate { .. } => replicate::run(&host, &job, &progress).await,
            EffectKind::Prune { tier: Tier::Nvme } => prune::from_nvme(&host, &job).await,
            EffectKind::Prune { tier: Tier::Object } => prune::from_object(&host, &job).await,
            EffectKind::Pin | EffectKind::Unpin => Outcome::Failed("pins are no jobs".into()),
        }
    };
    let stopping = host.0.stopping.clone();
    let deadline = job.deadline();
    let late = async {
        match deadline {
            Some(deadline) => tokio::time::sleep(deadline.since(host.0.clock.now())).await,
            None => std::future::pending().await,
        }
    };
    let outcome = tokio::select! {
        outcome = work => outcome,
        () = late => {
            progress.cancel();
            Outcome::Failed("its deadline has passed".into())
        }
        () = stopping.cancelled() => {
            // Not a failed try: the job is in the index as it was, and goes on after the next start.
            progress.cancel();
            return;
        }
    };
    let name = id.clone();
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
