pub(super) mod decisions;

use std::{io::Read as _, path::PathBuf};

use anyhow::Context;
use clap::Subcommand;
use serde_json::{Value, json};
use tidegate_client::{
    Client,
    api::{Bot, BotSpec, Letter},
};

use tidegate_core::limits;

use crate::{
    exit::Failure,
    show::{Out, Table, bytes, fields, moment},
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
        /// How far it is carried out: enforce, shadow (only recorded), or canary:PERCENT of the runs
        #[arg(long, value_name = "MODE", value_parser = mode, default_value = "enforce")]
        mode: Value,
        /// Let it run beside the version that is installed, without effects, to compare the two
        #[arg(long)]
        beside: bool,
        /// Events it must handle well until it is settled; if it fails before, the version before it is put back [default: 100]
        #[arg(long, value_name = "EVENTS", conflicts_with = "beside")]
        probation: Option<u64>,
    },
    /// Let the version that runs beside a bot take over
    Promote {
        /// The bot's name
        name: String,
        /// Events it must handle well until it is settled [default: 100]
        #[arg(long, value_name = "EVENTS")]
        probation: Option<u64>,
        /// Promote it although it has failed
        #[arg(long)]
        force: bool,
    },
    /// End the comparison with the version that runs beside a bot
    Abandon {
        /// The bot's name
        name: String,
    },
    /// Put the version before this one back, while this one is not settled
    Rollback {
        /// The bot's name
        name: String,
    },
    /// What a bot in shadow or canary has decided lately, and where a version beside it differs
    Decisions {
        /// The bot's name
        name: String,
    },
    /// Remove a bot with its state
    Remove {
        /// Its name
        name: String,
    },
    /// Let a quarantined bot try the event again that it stands at
    Resume {
        /// Its name
        name: String,
    },
    /// Let a quarantined bot go past the event that it stands at; the event stays parked
    Skip {
        /// Its name
        name: String,
    },
    /// The events that a bot could not handle, parked
    Letters {
        /// The bot's name
        name: String,
    },
    /// Have a parked event handed to the bot again
    Replay {
        /// The bot's name
        name: String,
        /// The event, as `letters` shows it
        event: u64,
    },
    /// Throw a parked event away
    Drop {
        /// The bot's name
        name: String,
        /// The event, as `letters` shows it
        event: u64,
    },
}

fn mode(text: &str) -> Result<Value, String> {
    match text.split_once(':') {
        None if matches!(text, "enforce" | "shadow") => Ok(json!(text)),
        Some(("canary", percent)) => match percent.parse::<u8>() {
            Ok(percent @ 0..=100) => Ok(json!({ "canary": { "percent": percent } })),
            _ => Err("a canary has 0 to 100 percent of the runs, such as canary:10".into()),
        },
        _ => Err("use enforce, shadow or canary:PERCENT".into()),
    }
}

/// Bytes of a file of JSON.
const JSON_BYTES: usize = 1 << 20;

/// A whole file, or whatever else can be read, of at most so many bytes: what has no end is not waited for.
pub(super) fn read(path: &std::path::Path, most: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        return Err(std::io::Error::other(format!("it has more than the {most} bytes that are taken")));
    }
    Ok(bytes)
}

pub(super) fn json_value(text: &str) -> Result<Value, String> {
    let text = match text.strip_prefix('@') {
        Some(file) => {
            let bytes =
                read(std::path::Path::new(file), JSON_BYTES).map_err(|error| format!("can't read {file}: {error}"))?;
            String::from_utf8(bytes).map_err(|error| format!("{file}: {error}"))?
        }
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
            out.value(&bot, || show(&bot))
        }
        What::Install { file, name, settings, grants, triggers, mode, beside, probation } => {
            let plugin = upload(&file, client, out).await?;
            let spec = BotSpec { plugin, settings, grants, triggers, mode, beside, probation };
            let bot = out.wait(format!("installing bot {name}"), client.install_bot(&name, &spec)).await?;
            out.value(&bot, || match &bot.candidate {
                Some(it) if beside => format!("component {} runs beside bot {name}", it.plugin),
                _ => format!("bot {name} is installed: component {}", bot.plugin),
            })
        }
        What::Promote { name, probation, force } => {
            let promoting = client.promote_bot(&name, probation, force);
            let promoted = out.wait(format!("promoting bot {name}"), promoting).await?;
            let warnings = promoted.warnings.iter().map(|warning| format!("warning: {warning}\n"));
            out.value(&promoted, || {
                format!("bot {name} runs component {}\n{}", promoted.bot.plugin, warnings.collect::<String>())
            })
        }
        What::Abandon { name } => {
            let bot = client.abandon_candidate(&name).await?;
            out.value(&bot, || format!("bot {name} stays with component {}", bot.plugin))
        }
        What::Rollback { name } => {
            let bot = client.roll_back_bot(&name).await?;
            out.value(&bot, || format!("bot {name} runs component {} again", bot.plugin))
        }
        What::Decisions { name } => decisions::run(&name, client, out).await,
        What::Remove { name } => {
            client.remove_bot(&name).await?;
            out.value(&json!({ "removed": name }), || format!("bot {name} is removed"))
        }
        What::Resume { name } => {
            let bot = out.wait(format!("resuming bot {name}"), client.resume_bot(&name)).await?;
            out.value(&bot, || format!("bot {name} is {}", bot.state))
        }
        What::Skip { name } => {
            let bot = client.skip_event(&name).await?;
            out.value(&bot, || format!("bot {name} is {} and goes on after event {}", bot.state, bot.cursor))
        }
        What::Letters { name } => {
            let letters = client.letters(&name).await?.items;
            out.value(&letters, || letters_text(&letters))
        }
        What::Replay { name, event } => {
            let letter = client.replay_letter(&name, event).await?;
            out.value(&letter, || format!("event {event} is handed to bot {name} again"))
        }
        What::Drop { name, event } => {
            client.drop_letter(&name, event).await?;
            out.value(&json!({ "dropped": event }), || format!("event {event} of bot {name} is dropped"))
        }
    }
}

/// Hands a component to the host, which compiles it before it answers. Returns its digest.
pub(super) async fn upload(file: &std::path::Path, client: &Client, out: Out) -> Result<String, Failure> {
    let component = read(file, limits::COMPONENT_BYTES).with_context(|| format!("can't read {}", file.display()))?;
    let uploading = format!("uploading {}, {}", file.display(), bytes(component.len() as u64));
    Ok(out.wait(uploading, client.add_plugin(component.into())).await?.digest)
}

/// One bot for people: of the version beside it how it compares, which `decisions` shows in full.
fn show(bot: &Bot) -> String {
    let mut shown = json!(bot);
    if let (Some(candidate), Some(field)) = (&bot.candidate, shown.get_mut("candidate")) {
        *field = json!(decisions::beside(candidate));
    }
    fields(&shown)
}

fn letters_text(letters: &[Letter]) -> String {
    let mut table = Table::new(&["EVENT", "KIND", "PARKED", "AGAIN", "FAULT"]);
    for letter in letters {
        let again = if letter.replay { "soon" } else { "-" };
        let (event, parked) = (letter.event.seq.to_string(), moment(&letter.parked_at));
        table.row([event, letter.event.kind.clone(), parked, again.to_owned(), letter.fault.clone()]);
    }
    table.or("no event is parked")
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
