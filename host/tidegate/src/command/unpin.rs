use tidegate_client::Client;
use tidegate_core::RunName;

use crate::{exit::Failure, show::Out};

/// Take the operator's pin back
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run
    run: String,
    /// The step
    step: u64,
    /// Why, for whoever asks later
    #[arg(long, default_value = "taken back by the operator")]
    reason: String,
}

pub(crate) async fn run(args: Args, client: &Client, out: Out) -> Result<(), Failure> {
    args.run.parse::<RunName>()?;
    let checkpoint = client.unpin(&args.run, args.step, &args.reason).await?;
    out.value(&checkpoint, || {
        let held = checkpoint.pins.iter().map(|pin| format!("; still pinned by {}: {}", pin.by, pin.reason));
        format!("{} step {} has no pin of the operator{}", args.run, args.step, held.collect::<String>())
    })
}
