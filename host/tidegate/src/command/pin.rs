use tidegate_client::Client;
use tidegate_core::RunName;

use crate::{exit::Failure, show::Out};

/// Hold a checkpoint: nothing prunes it until it is unpinned
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run
    run: String,
    /// The step
    step: u64,
    /// Why, for whoever asks later
    #[arg(long, default_value = "pinned by the operator")]
    reason: String,
}

pub(crate) async fn run(args: Args, client: &Client, out: Out) -> Result<(), Failure> {
    args.run.parse::<RunName>()?;
    let checkpoint = client.pin(&args.run, args.step, &args.reason).await?;
    out.value(&checkpoint, || format!("{} step {} is pinned: {}", args.run, args.step, args.reason))
}
