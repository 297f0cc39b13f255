//! What authors of plugins do: only `run` needs a host.

mod build;
mod inspect;
mod new;
mod run;

use clap::Subcommand;
use tidegate_client::Client;

use crate::{exit::Failure, show::Out};

/// Write, build and look at plugins; only `run` needs a host
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    New(new::Args),
    Build(build::Args),
    Inspect(inspect::Args),
    Run(run::Args),
}

pub(crate) async fn run(args: Args, client: &Client, out: Out) -> Result<(), Failure> {
    match args.what {
        What::New(args) => new::run(args, out),
        What::Build(args) => build::run(args, out),
        What::Inspect(args) => inspect::run(args, out),
        What::Run(args) => run::run(args, client, out).await,
    }
}
