use std::path::PathBuf;

use serde_json::Value;
use tidegate_client::{
    Client,
    api::{Trial, TrialRequest},
};
use tidegate_core::{BotName, Digest, limits};

use crate::{
    command::{
        bots::{decisions, send},
        input,
    },
    exit::Failure,
    show::Out,
};

/// What a plugin would have decided about the events that a host has recorded; nothing is done
///
/// The component is handed to the host, and is given the events as if it had been installed at their beginning, with an empty
/// state. Each effect is judged against the catalogue as it was then. If the host did not have the component before, it is
/// removed again.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The component: a .wasm file
    file: PathBuf,
    /// Say what it would decide, and do nothing
    #[arg(long, required = true)]
    dry_run: bool,
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

pub(crate) async fn run(args: Args, client: &Client, out: Out) -> Result<(), Failure> {
    debug_assert!(args.dry_run, "clap asks for it");
    args.name.parse::<BotName>()?;
    let component = input::file(&args.file, limits::COMPONENT_BYTES)?;
    let digest = Digest::of(&component).to_string();
    let there = client.plugins().await?.items.iter().any(|plugin| plugin.digest == digest);
    let plugin = send(&args.file, component, client, out).await?;
    let tried = try_out(args, plugin, client, out).await;
    if !there {
        match client.remove_plugin(&digest).await {
            // Somebody else has removed it, or installed a bot of it meanwhile.
            Err(error) if !matches!(error.status(), Some(404 | 409)) && tried.is_ok() => return Err(error.into()),
            _ => {}
        }
    }
    let trial = tried?;
    out.value(&trial, || text(&trial))
}

async fn try_out(args: Args, plugin: String, client: &Client, out: Out) -> Result<Trial, Failure> {
    let (name, limit) = (Some(args.name), Some(args.limit));
    let Args { settings, grants, triggers, after, .. } = args;
    let asked = TrialRequest { name, plugin, settings, grants, triggers, after, limit };
    Ok(out.wait("trying it out".to_owned(), client.try_out(&asked)).await?)
}

fn text(trial: &Trial) -> String {
    let mut text = decisions::lines(&trial.decisions);
    text += &format!("{} events would have woken it, up to event {}", trial.handled, trial.through);
    if !trial.end {
        text += &format!("; there are more: --after {}", trial.through);
    }
    text
}
