//! The arguments.

use clap::{Parser, Subcommand};
use tidegate_client::Address;

use crate::{command, exit};

const GLOBAL: &str = "Options of every command";

/// Checkpoints of training runs: saved at NVMe speed, copied and pruned by sandboxed bots.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, after_help = exit::CODES, max_term_width = 100)]
pub(crate) struct Cli {
    /// The host's socket, or http://127.0.0.1:PORT; `dev` and `run` do not use it
    #[arg(
        long, global = true, value_name = "PATH", help_heading = GLOBAL, display_order = 900,
        env = Address::VARIABLE, hide_env_values = true, default_value = Address::DEFAULT
    )]
    pub(crate) socket: Address,

    /// Print JSON: one value, or one a line for streams
    #[arg(long, global = true, help_heading = GLOBAL, display_order = 901)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Dev(command::dev::Args),
    Run(command::run::Args),
    Status(command::status::Args),
    Checkpoints(command::checkpoints::Args),
    Restore(command::restore::Args),
    Pin(command::pin::Args),
    Unpin(command::unpin::Args),
    Prune(command::prune::Args),
    Bots(command::bots::Args),
    Jobs(command::jobs::Args),
    Events(command::events::Args),
    Openapi(command::openapi::Args),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_is_the_golden_one() {
        let mut cli = Cli::command();
        cli.build();
        let mut help = cli.render_help().to_string();
        let hidden = ["help"];
        for command in cli.get_subcommands_mut().filter(|it| !hidden.contains(&it.get_name())) {
            let name = command.get_name().to_owned();
            help += &format!("\n=== {name}\n{}", command.render_help());
            for nested in command.get_subcommands_mut().filter(|it| !hidden.contains(&it.get_name())) {
                let title = format!("\n=== {name} {}\n", nested.get_name());
                help += &(title + &nested.render_help().to_string());
            }
        }
        insta::assert_snapshot!("help", help);
    }
}
