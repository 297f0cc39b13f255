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

fn main() -> ExitCode {
    if let Some(ended) = command::compile_worker::instead() {
        return ended;
    }
    let (done, json) = match cli::parse(std::env::args_os()) {
        Ok(cli) => {
            let json = cli.json;
            (command::run(cli), json)
        }
        Err(failure) => (Err(failure), true),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            show::failure(&failure, json);
            failure.exit_code()
        }
    }
}
