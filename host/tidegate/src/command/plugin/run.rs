use std::path::{Path, PathBuf};

use serde_json::Value;
use tidegate_client::{
    Client,
    api::{Trial, TrialRequest},
};
use tidegate_core::BotName;

use super::recorded::Recording;
use crate::{
    command::{bots::decisions, input, upload},
    exit::Failure,
    host::watch,
    show::Out,
};

/// What a plugin would have decided about the events that a host has recorded; nothing is done
///
/// The component is handed to the host, and is given the events as if it had been installed at their beginning, with an empty
/// state. Each effect is judged against the catalogue as it was then. If the host did not have the component before, it is
/// removed again.
///
/// With --events no host is needed: the catalogue is made of the events of a file. They don't tell what trainers reported,
/// nor of jobs that were under way, nor of checkpoints that were only found in object storage; and their times are to the
/// microsecond.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The component: a .wasm file
    file: PathBuf,
    /// Say what it would decide, and do nothing
    #[arg(long, required = true)]
    dry_run: bool,
    /// Not those of a host, but of this file: lines as `tidegate events --json` prints them
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// Verified copies that the host of the file wanted of each checkpoint, 1 or 2: its `policy.copies`
    #[arg(long, value_name = "COUNT", value_parser = copies, default_value_t = 2, requires = "events")]
    copies: u32,
    /// The name that the bot would have: chance and canary shares depend on it
    #[arg(long, default_value = "trial")]
    name: String,
    /// Its settings, as JSON, or @FILE
    #[arg(long, value_name = "JSON", value_parser = input::json, default_value = "{}")]
    settings: Value,
    /// What it may do, as JSON, or @FILE
    #[arg(long, value_name = "JSON", value_parser = input::json, default_value = "{}")]
    grants: Value,
    /// What wakes it, as JSON, or @FILE
    #[arg(long, value_name = "JSON", value_parser = input::json, default_value = "{}")]
    triggers: Value,
    /// Begin after this event
    #[arg(long, value_name = "EVENT", default_value_t = 0)]
    after: u64,
    /// Decisions at most, 1 to 1000
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    limit: u64,
}

fn copies(text: &str) -> Result<u32, String> {
    input::whole(text, 1..=2).map(|copies| if copies == 1 { 1 } else { 2 })
}

pub(crate) async fn run(args: Args, client: &Client, out: Out) -> Result<(), Failure> {
    debug_assert!(args.dry_run, "clap asks for it");
    args.name.parse::<BotName>()?;
    let recording = args.events.as_deref().map(Recording::read).transpose()?;
    let (name, limit, plugin) = (Some(args.name), Some(args.limit), String::new());
    let Args { file, copies, settings, grants, triggers, after, .. } = args;
    let asked = TrialRequest { name, plugin, settings, grants, triggers, after, limit };
    let trial = match recording {
        Some(recording) => out.wait("trying it out".to_owned(), recording.try_out(&file, copies, asked)).await?,
        None => on_a_host(&file, asked, client, out).await?,
    };
    out.value(&trial, || text(&trial))
}

/// Lends the component to the host, unless it has it. Ctrl-C and SIGTERM have it taken back first; the second ends at once.
async fn on_a_host(file: &Path, mut asked: TrialRequest, client: &Client, out: Out) -> Result<Trial, Failure> {
    let stop = watch()?;
    // To its end: a component that is on its way can't be taken back.
    let uploaded = upload::upload(file, client, out).await?;
    asked.plugin = uploaded.digest.clone();
    let tried = stop.run_until_cancelled(out.wait("trying it out".to_owned(), client.try_out(&asked))).await;
    let taken_back = uploaded.take_back(client).await;
    let trial = tried.ok_or(Failure::Interrupted)??;
    taken_back?;
    Ok(trial)
}

fn text(trial: &Trial) -> String {
    let mut text = decisions::lines(&trial.decisions);
    text += &format!("{} events would have woken it, up to event {}", trial.handled, trial.through);
    if !trial.end {
        text += &format!("; there are more: --after {}", trial.through);
    }
    text
}
