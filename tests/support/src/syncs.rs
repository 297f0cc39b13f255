//! What a process makes durable, and in which order, seen from inside it: a small C library that is loaded with the
//! process (`LD_PRELOAD`) writes down its syncs, renames, new names, writes and answers, and makes a sync of the test's
//! choice fail. `kill -9` can't show a sync that is missing, for the kernel keeps what was written; this does.

mod trace;

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

pub use trace::{Call, Kind, Trace};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/shim/syncs.c");

/// The library, its log, and the file that orders a failure.
#[derive(Debug)]
pub struct Syncs {
    dir: PathBuf,
    below: PathBuf,
}

/// What happens in the place of a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// It answers with an input/output error, and nothing was synced.
    Fail,
    /// The process is killed, as by `kill -9`.
    Kill,
}

/// A place in the log; the default is its beginning.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark(usize);

impl Syncs {
    /// Compiles the library into the directory `dir` with `$CC`, else `cc`. Only calls on what is `below` a directory are
    /// written down. Both paths must be free of links and white space.
    ///
    /// # Errors
    /// When there is no C compiler.
    pub fn build(dir: &Path, below: &Path) -> Result<Self> {
        let syncs = Self { dir: dir.into(), below: below.into() };
        let mut compiler = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()));
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(syncs.library());
        let output = compiler.arg(SOURCE).output().with_context(|| format!("run the C compiler: {compiler:?}"))?;
        ensure!(output.status.success(), "{compiler:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(syncs)
    }

    /// What the environment of the process must hold.
    #[must_use]
    pub fn env(&self) -> [(&'static str, OsString); 4] {
        [
            ("LD_PRELOAD", self.library().into()),
            ("SYNCS_LOG", self.log().into()),
            ("SYNCS_BELOW", self.below.clone().into()),
            ("SYNCS_ORDER", self.order_file().into()),
        ]
    }

    /// The end of the log as it is now.
    ///
    /// # Errors
    /// What the file system says.
    pub fn mark(&self) -> Result<Mark> {
        Ok(Mark(self.read()?.len()))
    }

    /// All calls since then that have ended, which must be of one process.
    ///
    /// # Errors
    /// A log that is none.
    pub fn since(&self, mark: Mark) -> Result<Trace> {
        self.read()?.get(mark.0..).unwrap_or_default().parse()
    }

    /// Orders what happens in the place of the `nth` sync from now (the first is 1) of a path that contains `part`. It
    /// happens once, also across a restart.
    ///
    /// # Errors
    /// What the file system says.
    pub fn order(&self, nth: usize, instead: Instead, part: &str) -> Result<()> {
        let what = match instead {
            Instead::Fail => "fail",
            Instead::Kill => "kill",
        };
        let beside = self.dir.join("order.new");
        fs::write(&beside, format!("{nth} {what} {part}\n"))?;
        // A process that reads it must not find half of it.
        Ok(fs::rename(beside, self.order_file())?)
    }

    /// Withdraws the order. False if it was carried out.
    ///
    /// # Errors
    /// What the file system says.
    pub fn withdraw(&self) -> Result<bool> {
        match fs::remove_file(self.order_file()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            removed => Ok(removed.map(|()| true)?),
        }
    }

    fn library(&self) -> PathBuf {
        self.dir.join("syncs.so")
    }

    fn log(&self) -> PathBuf {
        self.dir.join("syncs.log")
    }

    fn order_file(&self) -> PathBuf {
        self.dir.join("order")
    }

    fn read(&self) -> Result<String> {
        match fs::read_to_string(self.log()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            read => read.context("read the log of syncs"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn run(syncs: &Syncs, program: &str, arguments: &[&Path]) -> std::process::ExitStatus {
        Command::new(program).args(arguments).envs(syncs.env()).stderr(std::process::Stdio::null()).status().unwrap()
    }

    fn scene() -> (tempfile::TempDir, Syncs, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let below = dir.path().canonicalize().unwrap().join("below");
        fs::create_dir(&below).unwrap();
        let syncs = Syncs::build(dir.path(), &below).unwrap();
        (dir, syncs, below)
    }

    #[test]
    fn calls_below_the_directory_are_written_down_and_no_others() {
        let (dir, syncs, below) = scene();
        let file = below.join("file");
        fs::write(&file, "x").unwrap();
        fs::write(dir.path().join("outside"), "x").unwrap();
        let mark = syncs.mark().unwrap();
        assert!(run(&syncs, "sync", &[&file]).success());
        assert!(run(&syncs, "sync", &[&dir.path().join("outside")]).success());
        assert!(run(&syncs, "mkdir", &[&below.join("folder")]).success());
        assert!(run(&syncs, "mv", &[&file, &below.join("folder/moved")]).success());
        let trace = syncs.since(mark).unwrap();
        let seen: Vec<_> = trace.calls().iter().map(|call| (call.kind, call.path.as_path())).collect();
        let folder = below.join("folder");
        assert_eq!(seen, [(Kind::Sync, file.as_path()), (Kind::MakeDir, &folder), (Kind::Rename, &file)]);
        assert_eq!(trace.calls()[2].to, folder.join("moved"));
    }

    #[test]
    fn an_order_is_carried_out_once_and_at_its_time() {
        let (_dir, syncs, below) = scene();
        let (one, two) = (below.join("one"), below.join("two"));
        fs::write(&one, "x").unwrap();
        fs::write(&two, "x").unwrap();
        syncs.order(2, Instead::Fail, "/two").unwrap();
        let succeeded = [&two, &one, &two, &two].map(|path| run(&syncs, "sync", &[path]).success());
        assert_eq!(succeeded, [true, true, false, true]);
        assert!(!syncs.withdraw().unwrap());
        syncs.order(1, Instead::Kill, "/one").unwrap();
        assert_eq!(run(&syncs, "sync", &[&one]).signal(), Some(9));
        syncs.order(1, Instead::Kill, "/one").unwrap();
        assert!(syncs.withdraw().unwrap());
        assert!(run(&syncs, "sync", &[&one]).success());
    }
}
