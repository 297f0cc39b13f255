use tidegate_core::{Code, InvalidName, Refusal, Why};

/// What went wrong: a stable code, and what was attempted on what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Error {
    /// The code, which knows its title and what to do.
    pub code: Code,
    /// What happened this time.
    pub detail: String,
}

/// Shorthand.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with this code.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

impl From<tidegate_store::Error> for Error {
    fn from(error: tidegate_store::Error) -> Self {
        use tidegate_store::Error as E;
        let code = match &error {
            E::UnknownSave(_) => Code::UnknownSave,
            E::TooManySaves(_) => Code::TooMany,
            E::OtherBytes { .. } => Code::OtherBytes,
            E::Unsealed { .. } => Code::Internal,
            E::OtherWorld { .. } => Code::OtherWorld,
            E::OutsideWorld(..) | E::TooLarge(_) => Code::BadName,
            E::NoSpace { .. } | E::NoSpaceAsBefore { .. } => Code::NoSpace,
            E::BadFile { .. } | E::Sparse { .. } => Code::BadFile,
            E::ChangedFile(_) => Code::ChangedFile,
            E::EmptySave => Code::EmptySave,
            E::Broken => Code::IndexBroken,
            E::Closing => Code::Draining,
            E::Damaged(_) | E::Manifest(_) => Code::Corrupt,
            E::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => Code::NoSpace,
            E::Io { .. } | E::Locked(_) | E::Open { .. } | E::Index(_) | E::Record(_) => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

impl From<InvalidName> for Error {
    fn from(error: InvalidName) -> Self {
        Self::new(Code::BadName, error.to_string())
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal.why {
            Why::NotFound => Code::UnknownCheckpoint,
            Why::Invalid => Code::BadName,
            _ => Code::Refused,
        };
        Self::new(code, refusal.message)
    }
}

/// Runs what blocks where blocking is allowed.
pub(crate) async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T>
where
    T: Send + 'static,
    E: Into<Error> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome.map_err(Into::into),
        Err(panicked) => Err(Error::new(Code::Internal, panicked.to_string())),
    }
}
