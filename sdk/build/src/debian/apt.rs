//! Asking apt what there is, and for one package after the other. Nothing is installed and no system list is changed.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{
    Error, Progress,
    process::{run, run_with},
};

/// How long apt may say nothing before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(300);

/// apt with either the system's package lists or, where these are empty, private ones.
pub(super) struct Apt {
    /// Where packages are downloaded to.
    downloads: PathBuf,
    /// Where private lists are.
    state: PathBuf,
    options: Vec<OsString>,
}

impl Apt {
    /// Looks for apt and for lists that know a `rustc-web`; without any it fetches private ones below `folder`.
    pub(super) fn new(folder: &Path, progress: Progress<'_>) -> Result<Self, Error> {
        for program in ["apt-cache", "apt-get", "dpkg-deb", "dpkg-query"] {
            run(Command::new(program).arg("--version"))
                .and_then(|o| o.ok())
                .map_err(|_| Error::Debian(format!("this is no Debian with apt: `{program}` does not run")))?;
        }
        let mut apt = Self { downloads: folder.join("debs"), state: folder.join("apt"), options: Vec::new() };
        fs::create_dir_all(&apt.downloads).map_err(Error::io("create", &apt.downloads))?;
        if apt.show("rustc-web")?.is_empty() {
            progress("apt's package lists do not know rustc-web; fetching private lists");
            apt.fetch_lists(progress)?;
        }
        Ok(apt)
    }

    /// The control stanza of the candidate version, or an empty text for a name that the lists do not know.
    pub(super) fn show(&self, package: &str) -> Result<String, Error> {
        let output = run(self.command("apt-cache").args(["show", "--no-all-versions", package]))?;
        Ok(if output.success { output.stdout } else { String::new() })
    }

    /// The names of all packages that begin with `prefix`.
    pub(super) fn names(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let names = run(self.command("apt-cache").args(["pkgnames", prefix]))?.ok()?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// Is a package of this name installed on the system?
    pub(super) fn installed(&self, package: &str) -> Result<bool, Error> {
        let output = run(Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Status}\n", package]))?;
        Ok(output.success && output.stdout.lines().any(|l| l == "installed"))
    }

    /// Downloads a package and unpacks it below `root`; the archive is removed.
    pub(super) fn unpack(&self, package: &str, root: &Path) -> Result<(), Error> {
        let mut download = self.command("apt-get");
        download.args(["-q", "-o", "Acquire::Retries=3", "download", package]).current_dir(&self.downloads);
        run_with(&mut download, Some(PATIENCE), &mut |_| {})?.ok()?;
        let files = self.downloads.read_dir().map_err(Error::io("list", &self.downloads))?;
        for file in files.flatten().map(|f| f.path()).filter(|f| f.extension().is_some_and(|e| e == "deb")) {
            run(Command::new("dpkg-deb").arg("-x").arg(&file).arg(root))?.ok()?;
            fs::remove_file(&file).map_err(Error::io("remove", file))?;
        }
        Ok(())
    }

    /// Removes what only the making needed. What cannot be removed does no harm.
    pub(super) fn tidy(&self) {
        let _ = fs::remove_dir_all(&self.downloads);
        let _ = fs::remove_dir_all(&self.state);
    }

    /// Whether private lists were fetched.
    pub(super) fn has_fresh_lists(&self) -> bool {
        !self.options.is_empty()
    }

    /// Fetches private lists, and looks into these from now on.
    pub(super) fn fetch_lists(&mut self, progress: Progress<'_>) -> Result<(), Error> {
        let (lists, cache) = (self.state.join("state/lists/partial"), self.state.join("cache/archives/partial"));
        for folder in [&lists, &cache] {
            fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        for (name, value) in [("Dir::State::lists", "state/lists"), ("Dir::Cache", "cache")] {
            let mut option = OsString::from(format!("{name}="));
            option.push(self.state.join(value));
            self.options.extend(["-o".into(), option]);
        }
        // Only root would change to another user, and that one may not write to this user's cache.
        self.options.extend(["-o".into(), "APT::Sandbox::User=root".into()]);
        let mut update = self.command("apt-get");
        run_with(update.args(["-q", "update"]), Some(PATIENCE), progress)?.ok().map(drop)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.args(&self.options).env("LC_ALL", "C");
        command
    }
}
