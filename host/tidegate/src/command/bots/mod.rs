pub(super) mod decisions;

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};
use tidegate_client::{
    Client,
    api::{Bot, BotSpec, Letter},
};

use tidegate_core::{BotName, limits};

use crate::{
    command::{input, upload},
    exit::Failure,
    show::{Out, Table, fields, moment},
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
        #[arg(long, value_name = "JSON", value_parser = input::json, default_value = "{}")]
        settings: Value,
        /// What it may do, as JSON, or @FILE: {"read":["*"],"replicate":["gpt-*"],"targets":["default"]}
        #[arg(long, value_name = "JSON", value_parser = input::json, default_value = "{}")]
        grants: Value,
        /// What wakes it, as JSON, or @FILE: {"events":["checkpoint-complete"],"runs":["gpt-*"]}
        #[arg(long, value_name = "JSON", value_parser = input::json, default_value = "{}")]
        triggers: Value,
        /// How far it is carried out: enforce, shadow (only recorded), or canary:PERCENT of the runs
        #[arg(long, value_name = "MODE", value_parser = mode, default_value = "enforce")]
        mode: Value,
        /// Let it run beside the version that is installed, without effects, to compare the two
        #[arg(long)]
        beside: bool,
        /// Events it must handle well until it is settled, 0 to 1000000; if it fails before, the version before it is put back
        /// [default: 100]
        #[arg(long, value_name = "EVENTS", value_parser = probation, conflicts_with = "beside")]
        probation: Option<u64>,
    },
    /// Let the version that runs beside a bot take over
    Promote {
        /// The bot's name
        name: String,
        /// Events it must handle well until it is settled, 0 to 1000000 [default: 100]
        #[arg(long, value_name = "EVENTS", value_parser = probation)]
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

impl What {
    /// The bot that is asked about, if it is one.
    fn bot(&self) -> Option<&str> {
        match self {
            Self::List => None,
            Self::Show { name }
            | Self::Install { name, .. }
            | Self::Promote { name, .. }
            | Self::Abandon { name }
            | Self::Rollback { name }
            | Self::Decisions { name }
            | Self::Remove { name }
            | Self::Resume { name }
            | Self::Skip { name }
            | Self::Letters { name }
            | Self::Replay { name, .. }
            | Self::Drop { name, .. } => Some(name),
        }
    }
}

fn mode(text: &str) -> Result<Value, String> {
    match text.split_once(':') {
        None if matches!(text, "enforce" | "shadow") => Ok(json!(text)),
        Some(("canary", percent)) => match input::whole(percent, 0..=100) {
            Ok(percent) => Ok(json!({ "canary": { "percent": percent } })),
            Err(error) => Err(format!("a canary has a share of the runs in percent, such as canary:10: {error}")),
        },
        _ => Err("use enforce, shadow or canary:PERCENT".into()),
    }
}

fn probation(text: &str) -> Result<u64, String> {
    input::whole(text, 0..=limits::PROBATION)
}

pub(crate) async fn run(args: Args, client: &Client, out: Out) -> Result<(), Failure> {
    let what = args.what.unwrap_or(What::List);
    // A name that can't be one is refused before anybody is asked, in the words that the host would use.
    if let Some(name) = what.bot() {
        name.parse::<BotName>()?;
    }
    match what {
        What::List => {
            let bots = client.bots().await?.items;
            out.value(&bots, || text(&bots))
        }
        What::Show { name } => {
            let bot = client.bot(&name).await?;
            out.value(&bot, || show(&bot))
        }
        What::Install { file, name, settings, grants, triggers, mode, beside, probation } => {
            let uploaded = upload::upload(&file, client, out).await?;
            let plugin = uploaded.digest.clone();
            let spec = BotSpec { plugin, settings, grants, triggers, mode, beside, probation };
            let bot = match out.wait(format!("installing bot {name}"), client.install_bot(&name, &spec)).await {
                Ok(bot) => bot,
                Err(refused) => {
                    // Without an answer of the host the bot may be there. Of the two errors the first is the one to tell.
                    if refused.status().is_some() {
                        let _ = uploaded.take_back(client).await;
                    }
                    return Err(refused.into());
                }
            };
            if is_never_woken(&spec) {
                eprintln!("note: bot {name} may read no run, so none of its triggers wakes it: grant `read`");
            }
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
            let replay = client.replay_letter(&name, event).await?;
            out.value(&replay, || match replay.bot_state.as_str() {
                "running" => format!("event {event} is handed to bot {name} again"),
                state => format!(
                    "bot {name} is {state}: event {event} is handed to it again once it is resumed (`tidegate bots \
                     resume {name}`)"
                ),
            })
        }
        What::Drop { name, event } => {
            client.drop_letter(&name, event).await?;
            out.value(&json!({ "dropped": event }), || format!("event {event} of bot {name} is dropped"))
        }
    }
}

/// Whether it has triggers, and no run that it may read: all triggers are events of runs.
fn is_never_woken(spec: &BotSpec) -> bool {
    let any = |part: &Value, field: &str| part.get(field).and_then(Value::as_array).is_some_and(|all| !all.is_empty());
    any(&spec.triggers, "events") && !any(&spec.grants, "read")
}

/// One bot for people: of the version beside it how it compares, which `decisions` shows in full.
fn show(bot: &Bot) -> String {
    let mut shown = json!(bot);
    if let (Some(candidate), Some(field)) = (&bot.candidate, shown.get_mut("candidate")) {
        *field = json!(decisions::beside(candidate));
    }
    if let (Some(it), Some(field)) = (&bot.rolled_back, shown.get_mut("rolled_back")) {
        *field =
            json!(format!("component {}, at {}; a start of the host does not install it again", it.plugin, it.why));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_strict_number_of_percent() {
        assert_eq!(mode("canary:5"), Ok(json!({ "canary": { "percent": 5 } })));
        assert_eq!(mode("shadow"), Ok(json!("shadow")));
        for text in ["canary:+5", "canary:05", "canary:101", "canary:", "canary", "canary:5:5", "loud"] {
            assert!(mode(text).is_err(), "{text}");
        }
        assert_eq!(probation("1000000"), Ok(1_000_000));
        assert!(probation("1000001").is_err() && probation("+1").is_err() && probation("01").is_err());
    }
}
