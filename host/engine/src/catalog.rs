//! What is known of runs and checkpoints, and what people ask of them.

use tidegate_core::{
    BotName, Checkpoint, Code, Effect, EffectId, EffectKind, EventKind, Pin, RunName, Step, Tier, guard, limits,
};
use tidegate_store::{Tx, View};

use crate::{Error, Host, Result, error::blocking, newest::Newest};

/// Who pins for people; no bot may have this name.
pub(crate) const OPERATOR: &str = "operator";

/// A checkpoint, and why the guard keeps it, if it does.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckpointInfo {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The rule that keeps its last verified copy.
    pub kept_because: Option<String>,
}

/// A run in a few numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSummary {
    /// Its name.
    pub run: RunName,
    /// The world size of its newest checkpoint.
    pub world_size: u32,
    /// How many checkpoints some tier holds.
    pub checkpoints: u64,
    /// The newest complete one.
    pub latest_complete: Option<Step>,
    /// The newest with a verified copy in object storage.
    pub latest_durable: Option<Step>,
}

/// What became of a request to prune.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruning {
    /// The job, unless it was a dry run.
    pub job: Option<EffectId>,
    /// Why the guard admits it.
    pub because: String,
}

pub(crate) fn unknown_checkpoint(run: &RunName, step: Step) -> Error {
    Error::new(Code::UnknownCheckpoint, format!("run {run} has no checkpoint at step {step}"))
}

pub(crate) fn check_reason(reason: &str) -> Result<()> {
    if reason.trim().is_empty() || reason.len() > limits::REASON_BYTES {
        return Err(Error::new(Code::BadRequest, "reason: give 1 to 512 bytes of text"));
    }
    Ok(())
}

impl Host {
    /// Runs after a name, by name, at most `limit`. Those whose bytes are all gone are left out.
    ///
    /// # Errors
    /// An index that can't be read.
    pub async fn runs(&self, after: Option<RunName>, limit: usize) -> Result<Vec<RunSummary>> {
        let store = self.0.store.clone();
        blocking(move || {
            let (view, mut after, mut found) = (store.index().view(), after, Vec::new());
            while found.len() < limit {
                let names = view.runs(after.as_ref(), limit - found.len())?;
                let Some(last) = names.last() else { break };
                after = Some(last.clone());
                for name in names {
                    found.extend(summary(&view, name)?);
                }
            }
            Ok::<_, Error>(found)
        })
        .await
    }

    /// One run. One that is not known here is looked for in object storage.
    ///
    /// # Errors
    /// [`Code::UnknownRun`].
    pub async fn run(&self, run: &RunName) -> Result<RunSummary> {
        self.find_run(run).await?;
        let (store, name) = (self.0.store.clone(), run.clone());
        let found = blocking(move || summary(&store.index().view(), name)).await?;
        found.ok_or_else(|| Error::new(Code::UnknownRun, format!("run {run} is not known")))
    }

    /// A run's checkpoints below `before`, newest first, at most `limit`. Those whose bytes are all gone are left out.
    ///
    /// # Errors
    /// [`Code::UnknownRun`].
    pub async fn checkpoints(&self, run: &RunName, before: Option<Step>, limit: usize) -> Result<Vec<CheckpointInfo>> {
        self.find_run(run).await?;
        let (host, run) = (self.clone(), run.clone());
        blocking(move || {
            let view = host.0.store.index().view();
            let newest = Newest::in_view(&view, &run)?;
            let mut items = Vec::new();
            view.checkpoints(&run, before, |checkpoint| {
                if checkpoint.known() {
                    items.push(host.explain(checkpoint, newest));
                }
                items.len() < limit
            })?;
            Ok::<_, Error>(items)
        })
        .await
    }

    /// One checkpoint.
    ///
    /// # Errors
    /// [`Code::UnknownRun`], [`Code::UnknownCheckpoint`].
    pub async fn checkpoint(&self, run: &RunName, step: Step) -> Result<CheckpointInfo> {
        self.find_run(run).await?;
        let (host, run) = (self.clone(), run.clone());
        blocking(move || {
            let view = host.0.store.index().view();
            let newest = Newest::in_view(&view, &run)?;
            let found = view.checkpoint(&run, step)?.filter(Checkpoint::known);
            let checkpoint = found.ok_or_else(|| unknown_checkpoint(&run, step))?;
            Ok::<_, Error>(host.explain(checkpoint, newest))
        })
        .await
    }

    /// The newest complete checkpoint that some tier holds; never one of which a rank is missing.
    ///
    /// # Errors
    /// [`Code::UnknownRun`]; [`Code::UnknownCheckpoint`] if no checkpoint of the run is complete; [`Code::Corrupt`] if there
    /// were some and all of them are lost.
    pub async fn latest(&self, run: &RunName) -> Result<CheckpointInfo> {
        self.find_run(run).await?;
        let (host, run) = (self.clone(), run.clone());
        blocking(move || {
            let view = host.0.store.index().view();
            let Some(latest) = view.newest(&run, Checkpoint::restorable)? else {
                // To say that there is none would send the trainer back to its first step.
                let lost = view.newest(&run, |it| it.complete.is_some() && it.lost())?;
                return Err(match lost {
                    Some(lost) => lost_checkpoint(&lost),
                    None => Error::new(Code::UnknownCheckpoint, format!("run {run} has no complete checkpoint yet")),
                });
            };
            let newest = Newest::in_view(&view, &run)?;
            Ok::<_, Error>(host.explain(latest, newest))
        })
        .await
    }

    /// Holds a checkpoint against every prune until the operator lets it go. Durable when this returns.
    ///
    /// # Errors
    /// An unknown checkpoint, a reason out of bounds, too many pins.
    pub async fn pin(&self, run: &RunName, step: Step, reason: String) -> Result<CheckpointInfo> {
        check_reason(&reason)?;
        self.find_run(run).await?;
        let name = run.clone();
        let pin = move |tx: &mut Tx<'_>| set_pin(tx, &name, step, OPERATOR, reason);
        self.0.store.index().write_async(pin).await?;
        self.checkpoint(run, step).await
    }

    /// Takes a pin back for the operator: their own, or the one of another holder, such as a bot that was removed. Durable when
    /// this returns. That nobody holds the checkpoint is no error: whoever asks twice has what they asked for.
    ///
    /// # Errors
    /// An unknown checkpoint, a reason out of bounds; [`Code::OthersPin`] if that holder has no pin and others have.
    pub async fn unpin(
        &self,
        run: &RunName,
        step: Step,
        of: Option<BotName>,
        reason: String,
    ) -> Result<CheckpointInfo> {
        check_reason(&reason)?;
        let name = run.clone();
        let unpin = move |tx: &mut Tx<'_>| {
            let of = of.as_ref().map_or(OPERATOR, BotName::as_str);
            let lifted_by = (of != OPERATOR).then_some(OPERATOR);
            let held = clear_pin(tx, &name, step, of, lifted_by, reason)?;
            if held.is_empty() { Ok(()) } else { Err(others_pin(&name, step, of, &held)) }
        };
        self.0.store.index().write_async(unpin).await?;
        self.checkpoint(run, step).await
    }

    /// Asks that a checkpoint's bytes go from a tier. The guard is asked now, and again by the job that deletes.
    ///
    /// # Errors
    /// What the guard says against it; an unknown checkpoint.
    pub async fn prune(&self, run: &RunName, step: Step, tier: Tier, reason: String, dry_run: bool) -> Result<Pruning> {
        check_reason(&reason)?;
        self.check_running()?;
        self.find_run(run).await?;
        let effect = Effect { run: run.clone(), step, kind: EffectKind::Prune { tier }, reason };
        // What is thought lost may be in object storage, by another host: then it is not.
        let lost = |checkpoint: &Checkpoint| checkpoint.gone() && checkpoint.lost();
        if self.0.store.index().view().checkpoint(run, step)?.is_some_and(|it| lost(&it)) {
            self.find_step(run, step).await?;
        }
        let host = self.clone();
        blocking(move || {
            let view = host.0.store.index().view();
            let given_up = view.checkpoint(&effect.run, effect.step)?.filter(lost);
            let because = match given_up {
                // Of such a one no bot is told, and none can ask.
                Some(it) => {
                    guard::admit_prune(&it, tier, &host.around(&it.run, it.step, Newest::in_view(&view, &it.run)?))?
                }
                None => host.admit(&view, &effect)?,
            };
            let job = if dry_run { None } else { Some(host.accept_from_operator(effect)?) };
            Ok::<_, Error>(Pruning { job, because })
        })
        .await
    }

    fn explain(&self, checkpoint: Checkpoint, newest: Newest) -> CheckpointInfo {
        let around = self.around(&checkpoint.run, checkpoint.step, newest);
        let kept_because = guard::must_keep(&checkpoint, &around);
        CheckpointInfo { checkpoint, kept_because }
    }
}

fn summary(view: &View, run: RunName) -> Result<Option<RunSummary>> {
    let mut made: Option<RunSummary> = None;
    view.checkpoints(&run, None, |checkpoint| {
        if !checkpoint.known() {
            return true;
        }
        let summary = made.get_or_insert_with(|| RunSummary {
            run: run.clone(),
            world_size: checkpoint.world_size.get(),
            checkpoints: 0,
            latest_complete: None,
            latest_durable: None,
        });
        summary.checkpoints += 1;
        let step = Some(checkpoint.step);
        summary.latest_complete = summary.latest_complete.or(step.filter(|_| checkpoint.restorable()));
        summary.latest_durable = summary.latest_durable.or(step.filter(|_| checkpoint.verified(Tier::Object)));
        true
    })?;
    Ok(made)
}

/// Sets somebody's pin; one that is there stays as it is.
pub(crate) fn set_pin(tx: &mut Tx<'_>, run: &RunName, step: Step, by: &str, reason: String) -> Result<()> {
    let found = tx.checkpoint(run, step)?.filter(|checkpoint| !checkpoint.gone());
    let mut checkpoint = found.ok_or_else(|| unknown_checkpoint(run, step))?;
    if checkpoint.pins.iter().any(|pin| pin.by == by && pin.until.is_none()) {
        return Ok(());
    }
    if checkpoint.pins.iter().filter(|pin| pin.until.is_none()).count() >= limits::PINS {
        return Err(Error::new(Code::TooMany, format!("run {run} step {step} has {} pins", limits::PINS)));
    }
    let kind = EventKind::Pinned { run: run.clone(), step, by: by.into(), reason: reason.clone() };
    let since = tx.append(kind)?;
    // Past pins are kept for readers of the past, the last ones only.
    let ended = checkpoint.pins.iter().filter(|pin| pin.until.is_some()).count();
    if ended >= limits::PINS
        && let Some(oldest) = checkpoint.pins.iter().position(|pin| pin.until.is_some())
    {
        checkpoint.pins.remove(oldest);
    }
    checkpoint.pins.push(Pin { by: by.into(), reason, since, until: None });
    Ok(tx.put_checkpoint(&checkpoint)?)
}

pub(crate) fn lost_checkpoint(lost: &Checkpoint) -> Error {
    let (run, step) = (&lost.run, lost.step);
    let detail =
        format!("run {run} step {step} is lost: its copies were found damaged or missing and no tier has another");
    Error::new(Code::Corrupt, detail)
}

/// Takes somebody's pin back, if there is one; `lifted_by` if it is not its holder who does. Returns who else holds the
/// checkpoint if there is none.
pub(crate) fn clear_pin(
    tx: &mut Tx<'_>,
    run: &RunName,
    step: Step,
    by: &str,
    lifted_by: Option<&str>,
    reason: String,
) -> Result<Vec<String>> {
    let mut checkpoint = tx.checkpoint(run, step)?.ok_or_else(|| unknown_checkpoint(run, step))?;
    let Some(pin) = checkpoint.pins.iter_mut().find(|pin| pin.by == by && pin.until.is_none()) else {
        return Ok(checkpoint.pins.into_iter().filter(|pin| pin.until.is_none()).map(|pin| pin.by).collect());
    };
    let lifted_by = lifted_by.map(str::to_owned);
    let kind = EventKind::Unpinned { run: run.clone(), step, by: by.into(), lifted_by, reason };
    pin.until = Some(tx.append(kind)?);
    tx.put_checkpoint(&checkpoint)?;
    Ok(Vec::new())
}

fn others_pin(run: &RunName, step: Step, of: &str, held: &[String]) -> Error {
    let (first, holders) = (held.first().map_or("", String::as_str), held.join(", "));
    let detail = format!(
        "run {run} step {step} has no pin of {of}; it is pinned by {holders}: lift one with `--by`, such as `tidegate unpin \
         {run} {step} --by {first}`"
    );
    Error::new(Code::OthersPin, detail)
}
