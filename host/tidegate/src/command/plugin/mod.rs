//! What authors of plugins do, and what a host keeps of them.

mod bench;
mod build;
mod describe;
mod inspect;
mod list;
mod new;
mod recorded;
mod remove;
mod run;
mod settings;
mod test;

use clap::Subcommand;
use tidegate_client::Client;

use crate::{exit::Failure, show::Out};

/// Write, test, build and look at plugins, and try them out; `run`, `list` and `remove` need a host, `run` or what one has recorded
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
    Describe(describe::Args),
    Inspect(inspect::Args),
    Bench(bench::Args),
    Run(run::Args),
    List(list::Args),
    Remove(remove::Args),
}

pub(crate) async fn run(args: Args, client: &Client, out: Out) -> Result<(), Failure> {
    match args.what {
        What::New(args) => new::run(args, out),
        What::Build(args) => build::run(args, out),
        What::Test(args) => test::run(&args),
        What::Describe(args) => describe::run(args, out),
        What::Inspect(args) => inspect::run(args, out),
        What::Bench(args) => bench::run(&args, out),
        What::Run(args) => run::run(args, client, out).await,
        What::List(args) => list::run(args, client, out).await,
        What::Remove(args) => remove::run(args, client, out).await,
    }
}
