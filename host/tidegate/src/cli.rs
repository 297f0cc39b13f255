//! The arguments.

use std::ffi::OsString;

use clap::{Parser, Subcommand, error::ContextValue};
use tidegate_client::Address;
use tidegate_core::QUOTED_CHARS;

use crate::{
    command,
    exit::{self, Failure},
};

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
    Limits(command::limits::Args),
    Events(command::events::Args),
    Plugin(command::plugin::Args),
    Openapi(command::openapi::Args),
}

/// Reads the arguments. What clap has to say it says itself and ends the process, unless it is an error and `--json` is
/// among the arguments: a program that asked for JSON gets its errors as JSON, these too.
///
/// # Errors
/// [`Failure::Usage`], to be shown as JSON.
pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Cli, Failure> {
    let arguments: Vec<OsString> = arguments.collect();
    let json = arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json");
    Cli::try_parse_from(arguments).map_err(shortened).map_err(|error| {
        if error.exit_code() == 0 || !json {
            error.exit();
        }
        Failure::Usage(message(&error.render().to_string()))
    })
}

/// No value is repeated whole.
fn shortened(mut error: clap::Error) -> clap::Error {
    let cut = |text: &String| {
        let (end, _) = text.char_indices().nth(QUOTED_CHARS)?;
        Some(format!("{}… ({} bytes)", text.get(..end)?, text.len()))
    };
    let long: Vec<_> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, cut(text)?)),
            _ => None,
        })
        .collect();
    for (kind, text) in long {
        error.insert(kind, ContextValue::String(text));
    }
    error
}

/// What clap says for people, without its heading and without the usage below it.
fn message(rendered: &str) -> String {
    let said = rendered.strip_prefix("error: ").unwrap_or(rendered);
    let ends = ["\n\nUsage:", "\n\nFor more information"].map(|end| said.find(end).unwrap_or(said.len()));
    let said = said.split_at(ends.into_iter().min().unwrap_or_default()).0;
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    fn refused(arguments: &[&str]) -> String {
        match parse(arguments.iter().map(OsString::from)) {
            Err(Failure::Usage(message)) => message,
            other => panic!("{arguments:?}: {other:?}"),
        }
    }

    #[test]
    fn what_clap_refuses_is_one_line_that_names_it() {
        for (arguments, said) in [
            (&["tidegate", "--json", "frobnicate"][..], "unrecognized subcommand 'frobnicate'"),
            (&["tidegate", "status", "--frobnicate", "--json"], "unexpected argument '--frobnicate' found"),
            (&["tidegate", "--json", "checkpoints"], "the following required arguments were not provided: <RUN>"),
            (&["tidegate", "--json", "pin", "gpt", "soon"], "invalid value 'soon' for '<STEP>': invalid digit"),
            (&["tidegate", "prune", "gpt", "1", "--json", "--tier", "tape"], "[possible values: nvme, object]"),
            (&["tidegate", "--json"], "requires a subcommand"),
        ] {
            let message = refused(arguments);
            assert!(message.contains(said) && !message.contains('\n') && !message.contains("Usage:"), "{message:?}");
        }
    }

    #[test]
    fn no_value_is_repeated_whole() {
        let long = "x".repeat(100_000);
        let option = format!("--{long}");
        let json = format!("{{\"{long}\"");
        for arguments in [
            &["tidegate", "--json", &long][..],
            &["tidegate", "--json", &option],
            &["tidegate", "--json", "pin", "gpt", &long],
            &["tidegate", "--json", "bots", "install", "x", "--name", "x", "--grants", &json],
            &["tidegate", "--json", "bots", "install", "x", "--name", "x", "--mode", &long],
            &["tidegate", "--json", "bots", "install", "x", "--name", "x", "--settings", &format!("@{long}")],
            &["tidegate", "--json", "--socket", &format!("x://{long}"), "status"],
        ] {
            let message = refused(arguments);
            assert!(message.len() < 1200, "{} bytes: {:.300}", message.len(), message);
        }
    }

    #[test]
    fn the_readme_names_every_command_of_a_group() {
        let readme = include_str!("../README.md");
        for group in Cli::command().get_subcommands() {
            let name = group.get_name();
            let rows = readme.lines().filter_map(|row| row.strip_prefix("| `")?.strip_prefix(name)?.strip_prefix(' '));
            let words: Vec<&str> = rows.filter_map(|row| row.split('`').next()).flat_map(words).collect();
            let missing: Vec<&str> =
                group.get_subcommands().map(clap::Command::get_name).filter(|it| !words.contains(it)).collect();
            assert!(missing.is_empty(), "{name}: {missing:?}");
        }
    }

    fn words(text: &str) -> impl Iterator<Item = &str> {
        text.split(|c: char| !c.is_ascii_lowercase()).filter(|word| !word.is_empty())
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
