use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::{Context, Error, Result, bail, ensure};

/// Calls that are shown before one that came too early.
const SHOWN: usize = 50;

/// What was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A sync of a file or directory with all that is known of it: `fsync`.
    Sync,
    /// A sync of a file's bytes without its times and rights: `fdatasync`.
    DataSync,
    /// A rename.
    Rename,
    /// A new directory.
    MakeDir,
    /// An opened file that was made unless it was there.
    Create,
    /// Bytes written to a file.
    Write,
    /// The head of an answer over HTTP; the path is its status. It ends before the first byte is sent.
    Answer,
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "fsync" => Self::Sync,
            "fdatasync" => Self::DataSync,
            "rename" => Self::Rename,
            "mkdir" => Self::MakeDir,
            "create" => Self::Create,
            "write" => Self::Write,
            "answer" => Self::Answer,
            other => bail!("{other} is no call that is written down"),
        })
    }
}

/// A call that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    begin: u64,
    end: u64,
    /// What was called.
    pub kind: Kind,
    /// 0, or the number of the system's error.
    pub error: i32,
    /// Of what.
    pub path: PathBuf,
    /// Where a rename put it.
    pub to: PathBuf,
}

impl Call {
    /// Whether it began only when the other had ended.
    #[must_use]
    pub fn is_after(&self, other: &Self) -> bool {
        self.begin > other.end
    }
}

impl FromStr for Call {
    type Err = Error;

    fn from_str(line: &str) -> Result<Self> {
        let fields: Vec<_> = line.split('\t').collect();
        let [begin, end, kind, error, path, to] = fields.as_slice() else { bail!("{line:?} is no call") };
        let (begin, end, kind, error) = (begin.parse()?, end.parse()?, kind.parse()?, error.parse()?);
        Ok(Self { begin, end, kind, error, path: path.into(), to: to.into() })
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>5} to {:<5} {:?} {}", self.begin, self.end, self.kind, self.path.display())?;
        if !self.to.as_os_str().is_empty() {
            write!(f, " to {}", self.to.display())?;
        }
        if self.error == 0 { Ok(()) } else { write!(f, ": error {}", self.error) }
    }
}

/// Calls of one process, in the order in which they ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace(Vec<Call>);

impl FromStr for Trace {
    type Err = Error;

    /// A last line without its end is still being written, and left out.
    fn from_str(text: &str) -> Result<Self> {
        let whole = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();
        whole.lines().map(str::parse).collect::<Result<_>>().map(Self)
    }
}

impl Trace {
    /// All of them.
    #[must_use]
    pub fn calls(&self) -> &[Call] {
        &self.0
    }

    /// Those of a kind that succeeded.
    pub fn done(&self, kind: Kind) -> impl DoubleEndedIterator<Item = &Call> {
        self.0.iter().filter(move |call| call.kind == kind && call.error == 0)
    }

    /// The last of a kind on a path that succeeded.
    #[must_use]
    pub fn last(&self, kind: Kind, path: &Path) -> Option<&Call> {
        self.done(kind).rfind(|call| call.path == path)
    }

    /// The first answer, which is to the first request since the trace begins.
    ///
    /// # Errors
    /// When there is none, or it is not this one.
    pub fn answer(&self, status: u16) -> Result<&Call> {
        let answer = self.done(Kind::Answer).next().with_context(|| format!("nothing was answered:\n{self}"))?;
        ensure!(answer.path == Path::new(&status.to_string()), "it was answered with {}", answer.path.display());
        Ok(answer)
    }

    /// The one rename of this to that.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn rename(&self, from: &Path, to: &Path) -> Result<&Call> {
        let mut renames = self.done(Kind::Rename).filter(|call| call.path == from && call.to == to);
        let rename = renames.next().with_context(|| format!("NOT RENAMED: {}\n{self}", from.display()))?;
        ensure!(renames.next().is_none(), "renamed twice: {}\n{self}", from.display());
        Ok(rename)
    }

    /// A sync of this file or directory that began when `after` had ended, and had ended when `before` began.
    ///
    /// # Errors
    /// When there is none.
    pub fn synced(&self, path: &Path, after: Option<&Call>, before: &Call) -> Result<&Call> {
        let mut syncs = self.done(Kind::Sync).filter(|call| call.path == path);
        let timely = |call: &&Call| before.is_after(call) && after.is_none_or(|after| call.is_after(after));
        syncs.find(timely).with_context(|| {
            let after = after.map_or_else(|| "the beginning".to_owned(), ToString::to_string);
            let until: Vec<_> = self.0.iter().filter(|call| !call.is_after(before)).map(ToString::to_string).collect();
            let last = until.get(until.len().saturating_sub(SHOWN)..).unwrap_or_default().join("\n");
            format!("NOT SYNCED: {}\n after {after}\n before {before}\n in\n{last}", path.display())
        })
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|call| writeln!(f, "{call}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str =
        "1\t4\tfsync\t0\t/a\t\n2\t3\tfsync\t5\t/b\t\n6\t7\trename\t0\t/a\t/c\n8\t9\tanswer\t0\t200\t\n10\t1";

    #[test]
    fn a_sync_counts_only_whole_and_in_its_time() {
        let trace: Trace = LOG.parse().unwrap();
        assert_eq!(trace.calls().len(), 4, "the last line is not whole");
        let (rename, answer) = (trace.rename("/a".as_ref(), "/c".as_ref()).unwrap(), trace.answer(200).unwrap());
        assert!(trace.synced("/a".as_ref(), None, rename).is_ok());
        assert!(trace.synced("/a".as_ref(), Some(rename), answer).is_err(), "it was before");
        assert!(trace.synced("/b".as_ref(), None, answer).is_err(), "it failed");
        let overlapping: Trace = "1\t3\tfsync\t0\t/a\t\n2\t4\trename\t0\t/a\t/c\n".parse().unwrap();
        assert!(overlapping.synced("/a".as_ref(), None, &overlapping.calls()[1]).is_err(), "they overlap");
    }

    #[test]
    fn a_log_that_is_none_is_an_error() {
        for line in ["1\t2\tfsync\n", "1\t2\tchown\t0\t/a\t\n", "x\t2\tfsync\t0\t/a\t\n"] {
            assert!(line.parse::<Trace>().is_err(), "{line}");
        }
    }
}
