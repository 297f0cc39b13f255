//! One file a command.

pub(crate) mod bots;
pub(crate) mod checkpoints;
pub(crate) mod compile_worker;
pub(crate) mod dev;
pub(crate) mod events;
pub(crate) mod input;
pub(crate) mod jobs;
pub(crate) mod limits;
pub(crate) mod openapi;
pub(crate) mod pin;
pub(crate) mod plugin;
pub(crate) mod prune;
pub(crate) mod restore;
pub(crate) mod run;
pub(crate) mod status;
pub(crate) mod unpin;
mod upload;

use tidegate_client::Client;

use crate::{
    cli::{Cli, Command},
    exit::Failure,
    show::Out,
};

/// Runs what was asked.
pub(crate) fn run(cli: Cli) -> Result<(), Failure> {
    let out = Out { json: cli.json };
    let command = match cli.command {
        Command::Dev(args) => return dev::run(args, out),
        Command::Run(args) => return run::run(args, out),
        Command::Openapi(args) => return openapi::run(args),
        Command::Restore(args) if args.is_from_bucket() => return restore::from_bucket(args, out),
        command => command,
    };
    let client = Client::new(cli.socket);
    let asked = async {
        match command {
            Command::Status(args) => status::run(args, &client, out).await,
            Command::Checkpoints(args) => checkpoints::run(args, &client, out).await,
            Command::Restore(args) => restore::run(args, &client, out).await,
            Command::Pin(args) => pin::run(args, &client, out).await,
            Command::Unpin(args) => unpin::run(args, &client, out).await,
            Command::Prune(args) => prune::run(args, &client, out).await,
            Command::Bots(args) => bots::run(args, &client, out).await,
            Command::Jobs(args) => jobs::run(args, &client, out).await,
            Command::Limits(args) => limits::run(args, &client, out).await,
            Command::Events(args) => events::run(args, &client, out).await,
            Command::Plugin(args) => plugin::run(args, &client, out).await,
            Command::Dev(_) | Command::Run(_) | Command::Openapi(_) => Ok(()),
        }
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(asked)
}
