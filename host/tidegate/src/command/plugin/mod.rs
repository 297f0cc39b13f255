//! What authors of plugins do: only `run` may need a host.

mod bench;
mod build;
mod inspect;
mod new;
mod recorded;
mod run;
mod settings;
mod test;

use clap::Subcommand;
use tidegate_client::Client;

use crate::{exit::Failure, show::Out};

/// Write, test, build and look at plugins, and try them out; only `run` needs a host, or what one has recorded
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    New(new::Args),
    Build(build::Args),
    Test(test::Args),
    Inspect(inspect::Args),
    Bench(bench::Args),
    Run(run::Args),
}

pub(crate) async fn run(args: Args, client: &Client, out: Out) -> Result<(), Failure> {
    match args.what {
        What::New(args) => new::run(args, out),
        What::Build(args) => build::run(args, out),
        What::Test(args) => test::run(&args),
        What::Inspect(args) => inspect::run(args, out),
        What::Bench(args) => bench::run(&args, out),
        What::Run(args) => run::run(args, client, out).await,
    }
}
