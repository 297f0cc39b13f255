use std::{io, time::Duration};

use tidegate_api::Problem;

use crate::Address;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody answers at the address, or it may not be used. Nothing was asked.
    #[error("{} {address}: {source}", if source.kind() == io::ErrorKind::PermissionDenied { "you may not use" } else { "no host answers at" })]
    Unreachable {
        /// Where it was looked for.
        address: Address,
        /// What the system said.
        source: io::Error,
    },
    /// The host refused or failed; the problem says what and what to do.
    #[error("{}: {} ({})", .0.code, .0.detail, .0.title)]
    Problem(Box<Problem>),
    /// No answer in time. What was asked may still happen.
    #[error("the host at {address} did not answer within {} s", .timeout.as_secs())]
    TimedOut {
        /// Where.
        address: Address,
        /// How long it was waited for.
        timeout: Duration,
    },
    /// The connection broke before the answer was whole. What was asked may have happened.
    #[error("the connection to {address} broke: {detail}")]
    Broken {
        /// Where.
        address: Address,
        /// What was seen.
        detail: String,
    },
    /// The answer is not what this version of the client understands.
    #[error("the answer from {address} is not Tidegate's: {detail}")]
    Answer {
        /// Where.
        address: Address,
        /// What was wrong with it.
        detail: String,
    },
    /// The request can't be written down.
    #[error("the request can't be made: {0}")]
    Request(String),
}

impl Error {
    /// The host's stable code, such as `TG0007`, if the error is the host's.
    pub fn code(&self) -> Option<&str> {
        self.problem().map(|problem| problem.code.as_str())
    }

    /// The HTTP status, if the error is the host's.
    pub fn status(&self) -> Option<u16> {
        self.problem().map(|problem| problem.status)
    }

    /// What the host said, if the error is the host's.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }

    /// Whether the very same call may succeed a little later.
    pub(crate) fn passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } => true,
            Self::Problem(problem) => matches!(problem.status, 429 | 503),
            Self::TimedOut { .. } | Self::Answer { .. } | Self::Request(_) => false,
        }
    }
}
