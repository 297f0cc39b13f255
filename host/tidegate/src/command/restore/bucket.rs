//! A checkpoint from object storage onto a machine that has nothing else: no host, no index, no tier.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Serialize;
use tidegate_core::{Clock as _, Rank, RunName, Step, SystemClock, quoted};
use tidegate_replica::{Error, Found, Landing, Options, Progress, RestoreOptions, Source, Target, restore};

use tokio_util::sync::CancellationToken;

use super::Args;
use crate::{
    exit::Failure,
    host::watch,
    show::{Out, bytes},
};

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(100);

/// What was restored.
#[derive(Debug, Serialize)]
struct Done {
    run: RunName,
    step: Step,
    /// Holds a directory for each rank.
    path: PathBuf,
    world_size: u32,
    ranks: Vec<u32>,
    metrics: BTreeMap<String, f64>,
    /// From where: no credentials.
    from: String,
    bytes: u64,
    seconds: f64,
    /// Newer steps that were passed over, and why.
    passed_over: Vec<PassedOver>,
}

#[derive(Debug, Serialize)]
struct PassedOver {
    step: Step,
    why: String,
}

/// Looks for the step, restores all its ranks beside `--to`, and lets them appear there together. Ctrl-C and SIGTERM end it and
/// leave nothing; the second ends at once, and what it leaves goes with the next restore into the same place.
pub(super) async fn run(args: Args, out: Out) -> Result<(), Failure> {
    let run: RunName = args.run.parse()?;
    let wanted =
        args.step()?.map(Step::try_from).transpose().map_err(|error| Failure::Usage(format!("--step: {error}")))?;
    let to = std::path::absolute(&args.to)?;
    let target = open(args.from.as_deref().unwrap_or_default(), &args.settings)?;
    let stop = watch()?;
    let looking = format!("looking for {run} on {target}");
    let steps = until(&stop, out.wait(looking, target.steps(&run))).await?;
    let older = args.or_older;
    let may_be = |step: &Step| wanted.is_none_or(|wanted| *step == wanted || older && *step < wanted);
    let mut passed_over = Vec::new();
    for step in steps.into_iter().rev().filter(may_be) {
        let why = match until(&stop, target.look(&run, step)).await? {
            Some(found) => match try_one(&target, &found, args.ranks.as_deref(), &to, &stop, out).await {
                Ok(done) => {
                    let done = Done { passed_over, ..done };
                    return out.value(&done, || text(&done));
                }
                Err(Failure::Bucket(error)) if older && is_damage(&error) => error.to_string(),
                Err(failure) => return Err(failure),
            },
            // The newest may be on its way there still.
            None => {
                let lacking = until(&stop, target.lacks(&run, step)).await?.unwrap_or_default();
                format!("{lacking} is missing, or not what it should be")
            }
        };
        passed_over.push(PassedOver { step, why });
    }
    let told = passed_over.first().map(|it| format!(": of step {} {}", it.step, it.why)).unwrap_or_default();
    let what = wanted.map_or_else(|| "whole checkpoint".to_owned(), |step| format!("whole step {step}"));
    let object = format!("{what} of run {run}{told}");
    Err(Error::Missing { target: target.name().clone(), object }.into())
}

/// What leaves nothing behind, until it is called off.
async fn until<T>(stop: &CancellationToken, work: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
    Ok(stop.run_until_cancelled(work).await.ok_or(Failure::Interrupted)??)
}

fn is_damage(error: &Error) -> bool {
    matches!(error, Error::Corrupt { .. } | Error::Manifest { .. } | Error::Missing { .. })
}

/// A name and a value. It may hold a credential: it is not repeated.
fn setting(text: &str) -> Result<(String, String), Failure> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = parts.ok_or_else(|| Failure::Usage("--set: give a name, =, and a value".to_owned()))?;
    Ok((name.to_owned(), value.to_owned()))
}

fn open(url: &str, settings: &[String]) -> Result<Target, Failure> {
    // A directory that is opened as a target is made: one to read from must be there.
    if let Ok(path) = url::Url::parse(url).map_err(drop).and_then(|url| url.to_file_path())
        && !path.is_dir()
    {
        return Err(Failure::Usage(format!("--from: there is no directory {}", quoted(&path.display().to_string()))));
    }
    let store = settings.iter().map(|text| setting(text)).collect::<Result<_, _>>()?;
    let options = Options { store, ..Options::default() };
    let name = "bucket".parse().map_err(anyhow::Error::from)?;
    Target::open(name, url, options).map_err(Failure::Bucket)
}

/// The ranks that are asked for, of those that there are.
fn choose(found: &Found, ranks: Option<&[u32]>) -> Result<Vec<Rank>, Failure> {
    let all = || found.shards.iter().map(|shard| shard.rank);
    let Some(asked) = ranks else { return Ok(all().collect()) };
    let find = |rank: &u32| {
        let found = all().find(|it| it.get() == *rank);
        found.ok_or_else(|| Failure::Usage(format!("--ranks: {rank} is none of {} ranks", all().count())))
    };
    let mut ranks: Vec<Rank> = asked.iter().map(find).collect::<Result<_, _>>()?;
    ranks.sort_unstable();
    ranks.dedup();
    Ok(ranks)
}

async fn try_one(
    target: &Target,
    found: &Found,
    ranks: Option<&[u32]>,
    to: &Path,
    stop: &CancellationToken,
    out: Out,
) -> Result<Done, Failure> {
    let (run, step) = (&found.run, found.step);
    let ranks = choose(found, ranks)?;
    let shards: Vec<_> = found.shards.iter().filter(|shard| ranks.contains(&shard.rank)).collect();
    let total = shards.iter().map(|shard| shard.bytes).sum();
    let clock = SystemClock::default();
    let landing = Landing::begin(to, total)?;
    let bar = super::bar(out, total, format!("{run} step {step}"));
    for shard in shards {
        let (body, digest) = until(stop, target.body(run, step, shard.rank)).await?;
        if digest != shard.body {
            let object = format!("the manifest of rank {} of {run} step {step}", shard.rank);
            return Err(Error::Manifest { object, detail: "it is not the one that the marker names".into() }.into());
        }
        let into = landing.path().join(format!("rank-{:05}", shard.rank));
        let (progress, before) = (Progress::new(), bar.position());
        let sources = [Source::Target(target)];
        let mut restored = std::pin::pin!(restore(&body, &sources, &into, RestoreOptions::default(), &progress));
        loop {
            tokio::select! {
                restored = &mut restored => break restored.map(drop)?,
                // To its end: what writes into the directory has ended then, before that is removed.
                () = stop.cancelled(), if !progress.cancelled() => progress.cancel(),
                () = tokio::time::sleep(TICK) => bar.set_position(before + progress.done()),
            }
        }
        bar.set_position(before + shard.bytes);
    }
    tokio::task::spawn_blocking(move || landing.land()).await.map_err(anyhow::Error::from)??;
    bar.finish_and_clear();
    Ok(Done {
        run: run.clone(),
        step,
        path: to.to_owned(),
        world_size: found.world_size.get(),
        ranks: ranks.iter().map(|rank| rank.get()).collect(),
        metrics: found.metrics.iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        from: target.to_string(),
        bytes: total,
        seconds: clock.monotonic().as_secs_f64(),
        passed_over: Vec::new(),
    })
}

fn text(done: &Done) -> String {
    let passed = done.passed_over.iter().map(|it| format!("passed over step {}: {}\n", it.step, it.why));
    let Done { run, step, from, seconds, .. } = done;
    let (passed, bytes, path) = (passed.collect::<String>(), bytes(done.bytes), done.path.display());
    format!("{passed}{run} step {step}: {bytes} from {from} in {seconds:.2} s, every block verified\n{path}")
}
