//! Bytes back into a directory: by a host, or from object storage without one.

mod bucket;

use std::{path::PathBuf, pin::pin, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use tidegate_client::{
    Client, Error,
    api::{Restore, RestoreRequest, RestoreState, StepChoice},
};
use tidegate_core::{RunName, quoted};

use crate::{
    exit::Failure,
    show::{Out, bytes},
};

/// Bring a checkpoint's exact bytes back into a new directory
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run
    run: String,
    /// The step, or `latest`: the newest complete one
    #[arg(long, default_value = "latest")]
    step: String,
    /// The directory; it must not exist yet, and gets one directory a rank: rank-00000, ...
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Only these ranks
    #[arg(long, value_delimiter = ',', value_name = "RANK,...")]
    ranks: Option<Vec<u32>>,
    /// Without any host, from this object storage: `s3://bucket/prefix`, `gs://`, `az://`, `file:///dir`. Credentials come from
    /// the environment (`AWS_*`, `GOOGLE_*`, `AZURE_*`)
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// A setting of that object storage, such as endpoint=http://127.0.0.1:8333; may be given several times
    #[arg(long = "set", value_name = "NAME=VALUE", requires = "from")]
    settings: Vec<String>,
    /// If bytes of the step are missing or wrong there, take the newest older checkpoint that is whole
    #[arg(long, requires = "from")]
    or_older: bool,
}

/// Restores without a host, if that is what was asked.
pub(crate) fn from_bucket(args: Args, out: Out) -> Result<(), Failure> {
    // Several threads: the bytes of several parts are on their way at once.
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(bucket::run(args, out))
}

impl Args {
    /// Whether object storage is read without a host.
    pub(crate) fn is_from_bucket(&self) -> bool {
        self.from.is_some()
    }

    /// The step; none is the latest.
    fn step(&self) -> Result<Option<u64>, Failure> {
        match self.step.parse() {
            Ok(step) => Ok(Some(step)),
            Err(_) if self.step == "latest" => Ok(None),
            Err(_) => Err(Failure::Usage(format!("--step is {}: give a number, or latest", quoted(&self.step)))),
        }
    }
}

pub(crate) async fn run(args: Args, client: &Client, out: Out) -> Result<(), Failure> {
    args.run.parse::<RunName>()?;
    let looking = format!("looking for {} step {}", args.run, args.step);
    let step = args.step()?.map_or_else(|| StepChoice::Name("latest".to_owned()), StepChoice::Step);
    let into = std::path::absolute(&args.to)?.into_os_string().into_string();
    let into = into.map_err(|path| Failure::Usage(format!("--to {} is not UTF-8", path.display())))?;
    let request = RestoreRequest { run: args.run, step, ranks: args.ranks, into: Some(into) };
    // A run that the host does not know is looked for in object storage.
    let mut begun = pin!(out.wait(looking, client.restore(&request, Duration::ZERO)));
    let begun = tokio::select! {
        begun = &mut begun => begun?,
        _ = tokio::signal::ctrl_c() => {
            // Asked for already: what comes of it must not stay. A second Ctrl-C leaves that to the host.
            tokio::select! {
                begun = begun => client.release_restore(&begun?.id).await?,
                _ = tokio::signal::ctrl_c() => {}
            }
            return Err(Failure::Interrupted);
        }
    };
    let id = begun.id.clone();
    let restored = tokio::select! {
        restored = finish(client, begun, out) => restored?,
        _ = tokio::signal::ctrl_c() => {
            client.release_restore(&id).await?;
            return Err(Failure::Interrupted);
        }
    };
    // The directory is the caller's; the host need not remember it.
    let _ = client.release_restore(&id).await;
    if let Some(problem) = restored.error {
        return Err(Error::Problem(Box::new(problem)).into());
    }
    out.value(&restored, || text(&restored))
}

/// Waits for the end, with a bar on a terminal.
async fn finish(client: &Client, mut restore: Restore, out: Out) -> Result<Restore, Failure> {
    let bar = bar(out, restore.bytes_total, format!("{} step {}", restore.run, restore.step));
    // A bar must move; where there is none, one request a while is enough.
    let wait = Duration::from_millis(if bar.is_hidden() { 10_000 } else { 250 });
    while restore.state == RestoreState::Running {
        restore = client.restore_state(&restore.id, wait).await?;
        bar.set_length(restore.bytes_total);
        bar.set_position(restore.bytes_done);
    }
    bar.finish_and_clear();
    Ok(restore)
}

/// A bar on a terminal.
fn bar(out: Out, bytes: u64, what: String) -> ProgressBar {
    let bar = if out.json { ProgressBar::hidden() } else { ProgressBar::new(bytes) };
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes} of {total_bytes}, {binary_bytes_per_sec}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(what);
    bar
}

fn text(restore: &Restore) -> String {
    format!(
        "{} step {}: {} in {:.2} s, every block verified ({} from nvme, {} from object)\n{}",
        restore.run,
        restore.step,
        bytes(restore.bytes_total),
        restore.seconds,
        bytes(restore.from.nvme),
        bytes(restore.from.object),
        restore.path,
    )
}
