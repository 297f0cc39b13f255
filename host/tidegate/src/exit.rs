//! How a command can end otherwise than well, and the exit codes that scripts see.

use std::process::ExitCode;

use tidegate_client::Error;
use tidegate_core::InvalidName;
use tidegate_replica::Error as Bucket;

/// The exit codes, as `--help` shows them.
pub(crate) const CODES: &str = "\
Exit codes:
  0    done
  1    failed; for `status`: the host is not ready
  2    wrong usage, a value that is not valid, a file that can't be read, or a wrong configuration
  3    there is no such run, checkpoint, save, restore, job, bot or plugin
  4    refused: the guard, a conflict, no space, too many at once
  5    no host answers on the socket, or it may not be used
  130  interrupted before it was done";

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The host, or the way to it.
    Client(Error),
    /// Object storage that is read without a host, or the directory that its bytes go to.
    Bucket(Bucket),
    /// What was given makes no sense.
    Usage(String),
    /// A name that can't be one.
    Name(InvalidName),
    /// Anything else.
    Other(anyhow::Error),
    /// Ctrl-C.
    Interrupted,
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    fn code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Name(_) => 2,
            Self::Other(_) => 1,
            Self::Bucket(error) => match error {
                Bucket::Config { .. } => 2,
                Bucket::Missing { .. } => 3,
                Bucket::Exists(_) | Bucket::NoSpace { .. } => 4,
                Bucket::Cancelled => 130,
                _ => 1,
            },
            Self::Interrupted => 130,
            Self::Client(Error::Unreachable { .. } | Error::Broken { .. }) => 5,
            Self::Client(Error::Request(_)) => 2,
            Self::Client(error) => match error.status() {
                Some(400 | 413 | 415) => 2,
                Some(404) => 3,
                Some(403 | 409 | 429 | 507) => 4,
                _ => 1,
            },
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

impl From<Bucket> for Failure {
    fn from(error: Bucket) -> Self {
        Self::Bucket(error)
    }
}

impl From<InvalidName> for Failure {
    fn from(error: InvalidName) -> Self {
        Self::Name(error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Other(error.into())
    }
}

#[cfg(test)]
mod tests {
    use tidegate_client::api::Problem;

    use super::*;

    #[test]
    fn exit_codes_tell_scripts_what_happened() {
        let problem = |status| {
            let (kind, title, detail, code, hint) = Default::default();
            Failure::from(Error::Problem(Box::new(Problem { kind, title, status, detail, code, hint })))
        };
        for (status, code) in [(400, 2), (404, 3), (409, 4), (403, 4), (507, 4), (429, 4), (500, 1), (503, 1)] {
            assert_eq!(problem(status).code(), code, "{status}");
        }
        let source = std::io::ErrorKind::NotFound.into();
        let address = tidegate_client::Address::from_env();
        assert_eq!(Failure::from(Error::Unreachable { address, source }).code(), 5);
    }
}
