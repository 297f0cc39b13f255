//! `cargo xtask`: the chores of this repository, each with all its own set-up.
#![allow(
    clippy::disallowed_methods,
    reason = "a build tool says how long its steps take; the system clock is its to read"
)]

mod bench;
mod demo;
mod layers;
mod plugins;
mod prove;
mod step;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The chores of this repository. Each sets up what it needs and says what it does.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every check: format, lints, all tests, documents, licences, layers
    Test(test::Args),
    /// Build the first-party plugins to target/plugins
    Plugins,
    /// Train, crash, restore and resume a real model, and show the figures
    Demo(demo::Args),
    /// Measure, and print the figures
    Bench(bench::Args),
    /// Run the long proofs: crashes and faults by the hundred
    Prove(prove::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Test(args) => test::run(&args),
        Task::Plugins => plugins::run(),
        Task::Demo(args) => demo::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Prove(args) => prove::run(&args),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
