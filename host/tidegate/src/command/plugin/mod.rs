//! What authors of plugins do: nothing here needs a host.

mod build;
mod inspect;
mod new;
mod settings;
mod test;

use clap::Subcommand;

use crate::{exit::Failure, show::Out};

/// Write, test, build and look at plugins; needs no host
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
}

pub(crate) fn run(args: Args, out: Out) -> Result<(), Failure> {
    match args.what {
        What::New(args) => new::run(args, out),
        What::Build(args) => build::run(args, out),
        What::Test(args) => test::run(&args),
        What::Inspect(args) => inspect::run(args, out),
    }
}
