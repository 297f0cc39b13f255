use clap::ValueEnum;
use tidegate_client::{Client, api};
use tidegate_core::RunName;

use crate::{exit::Failure, show::Out};

/// Delete a checkpoint's bytes from a tier, if the guard admits it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run
    run: String,
    /// The step
    step: u64,
    /// From which tier
    #[arg(long)]
    tier: Tier,
    /// Why, for whoever asks later
    #[arg(long, default_value = "pruned by the operator")]
    reason: String,
    /// Only say what the guard would say
    #[arg(long)]
    dry_run: bool,
}

/// Where bytes live.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Tier {
    Nvme,
    Object,
}

pub(crate) async fn run(args: Args, client: &Client, out: Out) -> Result<(), Failure> {
    args.run.parse::<RunName>()?;
    let tier = match args.tier {
        Tier::Nvme => api::Tier::Nvme,
        Tier::Object => api::Tier::Object,
    };
    let request = api::PruneRequest { tier, reason: args.reason, dry_run: args.dry_run };
    let answer = client.prune(&args.run, args.step, &request).await?;
    out.value(&answer, || match &answer.job {
        Some(job) => format!("job {job} prunes it: {}", answer.because),
        None => format!("it may be pruned: {}", answer.because),
    })
}
