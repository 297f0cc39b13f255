//! Errors: what happened, and what to do next.

use std::{fmt, io::ErrorKind};

use miette::{Diagnostic, Report};
use serde_json::json;
use tidegate_client::Error;
use tidegate_core::Code;
use tidegate_replica::Error as Bucket;

use crate::exit::Failure;

/// A failure as it is shown.
#[derive(Debug)]
struct Shown {
    message: String,
    code: Option<String>,
    help: Option<String>,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown {}

impl Diagnostic for Shown {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.as_ref().map(|code| Box::new(code) as Box<dyn fmt::Display>)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }
}

fn describe(failure: &Failure) -> Shown {
    let (message, code, help) = match failure {
        Failure::Client(Error::Problem(problem)) => {
            let problem = problem.clone();
            let message = if problem.detail.is_empty() {
                problem.title
            } else {
                format!("{}: {}", problem.title, problem.detail)
            };
            (message, Some(problem.code), Some(problem.hint))
        }
        Failure::Client(error @ Error::Unreachable { .. }) => {
            let denied =
                matches!(error, Error::Unreachable { source, .. } if source.kind() == ErrorKind::PermissionDenied);
            let help = if denied {
                "The socket is for its owner and its group (mode 0660): ask as one of them."
            } else {
                "Start one with `tidegate dev`, or name its socket with --socket or TIDEGATE_SOCKET."
            };
            (error.to_string(), None, Some(help.to_owned()))
        }
        Failure::Client(error) => (error.to_string(), None, None),
        Failure::Usage(message) => (message.clone(), None, Some("`tidegate --help` tells what there is.".to_owned())),
        // As the host would say it.
        Failure::Name(error) => {
            let code = Code::BadName;
            (format!("{}: {error}", code.title()), Some(code.number().to_owned()), Some(code.hint().to_owned()))
        }
        Failure::Bucket(error) => (error.to_string(), None, bucket(error).map(str::to_owned)),
        Failure::Other(error) => (chain(error), None, None),
        Failure::Interrupted => ("interrupted".to_owned(), None, None),
    };
    Shown { message, code, help }
}

/// What to do about object storage that does not give what it should.
fn bucket(error: &Bucket) -> Option<&'static str> {
    match error {
        Bucket::Store { .. } => {
            Some("Look whether it answers, and whether URL, credentials and --set are the right ones.")
        }
        Bucket::Missing { .. } => Some("Give another --step, or --or-older for the newest checkpoint that is whole."),
        Bucket::Corrupt { .. } | Bucket::Manifest { .. } => {
            Some("Its bytes are damaged there: --or-older takes the newest older checkpoint that is whole.")
        }
        Bucket::NoSpace { .. } => Some("Make room, give --ranks, or another --to."),
        _ => None,
    }
}

/// An error and its causes; one that was told already, by an error that names its cause itself, is not told twice.
fn chain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, next| match said.as_str() {
        "" => next,
        told if told.contains(&next) => said,
        _ => format!("{said}: {next}"),
    })
}

/// Says on standard error what went wrong.
pub(crate) fn show(failure: &Failure, as_json: bool) {
    let shown = describe(failure);
    if as_json {
        eprintln!("{}", json!({ "error": { "code": shown.code, "message": shown.message, "hint": shown.help } }));
    } else {
        eprintln!("{:?}", Report::new(shown));
    }
}

#[cfg(test)]
mod tests {
    use tidegate_client::{Address, api::Problem};

    use super::*;

    fn rendered(failure: &Failure) -> String {
        let mut text = String::new();
        let theme = miette::GraphicalTheme::unicode_nocolor();
        let handler = miette::GraphicalReportHandler::new_themed(theme).with_width(90);
        handler.render_report(&mut text, &describe(failure)).unwrap();
        text
    }

    #[test]
    fn errors_say_what_to_do_next() {
        let problem = Problem {
            kind: "/errors/TG0005".into(),
            title: "The run is not known".into(),
            status: 404,
            detail: "run gtp is not known".into(),
            code: "TG0005".into(),
            hint: "`tidegate status` lists the runs; the name is case-sensitive.".into(),
        };
        let unreachable = Error::Unreachable {
            address: Address::Unix("/run/tidegate.sock".into()),
            source: std::io::ErrorKind::ConnectionRefused.into(),
        };
        let shown = [
            Failure::Client(Error::Problem(Box::new(problem))),
            Failure::Client(unreachable),
            Failure::Usage("--step is \"last\": give a number, or latest".into()),
            Failure::Other(anyhow::anyhow!("no such file").context("can't read bot.wasm")),
        ]
        .map(|failure| rendered(&failure));
        insta::assert_snapshot!("errors", shown.join("\n"));
    }
}
