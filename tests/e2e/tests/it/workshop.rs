//! A place where an author's crate is made, tested and built: its own folder, and the compiled dependencies of the last run.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use tidegate_tests_support::host;

/// The crate's folder. One crate at a time is at work, also when tests run side by side.
pub(crate) struct Workshop {
    pub(crate) kept: PathBuf,
    pub(crate) crate_dir: PathBuf,
    // Freed when it is dropped.
    _turn: File,
}

impl Workshop {
    /// Waits for its turn, and clears what an earlier run left of the crate.
    pub(crate) fn open(name: &str) -> Self {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("author");
        fs::create_dir_all(&kept).unwrap();
        let turn = File::create(kept.join("turn")).unwrap();
        turn.lock().unwrap();
        let crate_dir = kept.join(name);
        let _ = fs::remove_dir_all(&crate_dir);
        Self { kept, crate_dir, _turn: turn }
    }

    /// Brings what earlier runs compiled, and the versions that this workspace has: no others need be fetched.
    pub(crate) fn equip(&self) {
        fs::copy(root().join("Cargo.lock"), self.crate_dir.join("Cargo.lock")).unwrap();
        let _ = fs::rename(self.kept.join("target"), self.crate_dir.join("target"));
    }

    /// `tidegate plugin ...` in the crate's folder.
    pub(crate) fn plugin(&self, words: &[&str]) -> Command {
        let mut command = Command::new(host::binary().unwrap());
        command.arg("plugin").args(words).current_dir(&self.crate_dir).env_remove("CARGO_TARGET_DIR");
        command
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        let _ = fs::rename(self.crate_dir.join("target"), self.kept.join("target"));
    }
}

/// Runs a program and returns what it wrote.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
    out
}

/// The root of this repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}
