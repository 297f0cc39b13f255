use tidegate_client::Client;
use tidegate_core::{BotName, RunName};

use crate::{exit::Failure, show::Out};

/// Take the operator's pin back, or lift the one of a bot, installed or not
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run
    run: String,
    /// The step
    step: u64,
    /// Whose pin to lift: a bot's name. A bot that is at work may pin again [default: the operator]
    #[arg(long, value_name = "BOT")]
    by: Option<String>,
    /// Why, for whoever asks later
    #[arg(long, default_value = "taken back by the operator")]
    reason: String,
}

pub(crate) async fn run(args: Args, client: &Client, out: Out) -> Result<(), Failure> {
    args.run.parse::<RunName>()?;
    let (checkpoint, holder) = match &args.by {
        Some(bot) => {
            bot.parse::<BotName>()?;
            (client.unpin_of(&args.run, args.step, bot, &args.reason).await?, bot.as_str())
        }
        None => (client.unpin(&args.run, args.step, &args.reason).await?, "the operator"),
    };
    out.value(&checkpoint, || {
        let held = checkpoint.pins.iter().map(|pin| format!("; still pinned by {}: {}", pin.by, pin.reason));
        format!("{} step {} has no pin of {holder}{}", args.run, args.step, held.collect::<String>())
    })
}
