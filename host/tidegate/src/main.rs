//! `tidegate`: the host daemon, and the command line that asks one.
//!
//! This crate wires the others together and holds nothing else: `host/` starts and ends a host, `command/` has one file
//! a command, `show/` is how results and errors look.

mod cli;
mod command;
mod config;
mod exit;
mod host;
mod show;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let json = cli.json;
    match command::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            show::failure(&failure, json);
            failure.exit_code()
        }
    }
}
