use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use serde_json::{Value, json};
use tidegate_client::{
    Client,
    api::{Bot, BotSpec},
};

use crate::{
    exit::Failure,
    show::{Out, Table, bytes, fields},
};

/// The bots: sandboxed programs that decide what is copied and pruned
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The installed bots
    List,
    /// One bot, with its last lines of log
    Show {
        /// Its name
        name: String,
    },
    /// Install a component as a bot, or change one. Nothing is granted unless it is said here
    Install {
        /// The component: a .wasm file of the world tidegate:bot/policy
        file: PathBuf,
        /// The bot's name
        #[arg(long)]
        name: String,
        /// Its settings, as JSON, or @FILE
        #[arg(long, value_name = "JSON", value_parser = json_value, default_value = "{}")]
        settings: Value,
        /// What it may do, as JSON, or @FILE: {"read":["*"],"replicate":["gpt-*"],"targets":["default"]}
        #[arg(long, value_name = "JSON", value_parser = json_value, default_value = "{}")]
        grants: Value,
        /// What wakes it, as JSON, or @FILE: {"events":["checkpoint-complete"],"runs":["gpt-*"]}
        #[arg(long, value_name = "JSON", value_parser = json_value, default_value = "{}")]
        triggers: Value,
    },
    /// Remove a bot with its state
    Remove {
        /// Its name
        name: String,
    },
    /// Let a quarantined bot try again
    Resume {
        /// Its name
        name: String,
    },
}

fn json_value(text: &str) -> Result<Value, String> {
    let text = match text.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).map_err(|error| format!("can't read {file}: {error}"))?,
        None => text.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| format!("it is not JSON: {error}"))
}

pub(crate) async fn run(args: Args, client: &Client, out: Out) -> Result<(), Failure> {
    match args.what.unwrap_or(What::List) {
        What::List => {
            let bots = client.bots().await?.items;
            out.value(&bots, || text(&bots))
        }
        What::Show { name } => {
            let bot = client.bot(&name).await?;
            out.value(&bot, || fields(&bot))
        }
        What::Install { file, name, settings, grants, triggers } => {
            let component = std::fs::read(&file).with_context(|| format!("can't read {}", file.display()))?;
            // The host compiles it before it answers.
            let uploading = format!("uploading {}, {}", file.display(), bytes(component.len() as u64));
            let plugin = out.wait(uploading, client.add_plugin(component.into())).await?.digest;
            let spec = BotSpec { plugin, settings, grants, triggers };
            let bot = out.wait(format!("installing bot {name}"), client.install_bot(&name, &spec)).await?;
            out.value(&bot, || format!("bot {name} is installed: component {}", bot.plugin))
        }
        What::Remove { name } => {
            client.remove_bot(&name).await?;
            out.value(&json!({ "removed": name }), || format!("bot {name} is removed"))
        }
        What::Resume { name } => {
            let bot = out.wait(format!("resuming bot {name}"), client.resume_bot(&name)).await?;
            out.value(&bot, || format!("bot {name} is {}", bot.state))
        }
    }
}

fn text(bots: &[Bot]) -> String {
    let mut table = Table::new(&["BOT", "STATE", "LAG", "HANDLED", "EFFECTS", "FAULTS", "COMPONENT", "LAST FAULT"]);
    for bot in bots {
        let [lag, handled, effects, faults] =
            [bot.lag, bot.handled, bot.effects, bot.faults].map(|number| number.to_string());
        let component: String = bot.plugin.chars().take(12).collect();
        let fault = bot.last_fault.clone().unwrap_or_else(|| "-".to_owned());
        table.row([bot.name.clone(), bot.state.clone(), lag, handled, effects, faults, component, fault]);
    }
    table.or("no bots: nothing is copied or pruned")
}
