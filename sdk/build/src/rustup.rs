//! The first two ways: the target in the active toolchain, and asking rustup for it.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{
    Error, Progress, TARGET,
    process::{run, run_with},
};

/// How long rustup may say nothing before it counts as failed. Without a network that is the usual outcome.
const PATIENCE: Duration = Duration::from_secs(60);

/// Does the active toolchain have the target? The reason if not.
pub(crate) fn active() -> Result<(), String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let sysroot = run(Command::new(&rustc).args(["--print", "sysroot"])).and_then(|o| o.ok());
    let sysroot = PathBuf::from(sysroot.map_err(|e| e.to_string())?.trim());
    if has_std(&sysroot) { Ok(()) } else { Err(format!("{} has no library for it", sysroot.display())) }
}

/// Asks rustup for the target, with a deadline, and looks again: an active toolchain that is not rustup's has gained nothing.
pub(crate) fn add_target(progress: Progress<'_>) -> Result<(), String> {
    progress(&format!("asking rustup for {TARGET}"));
    let mut command = Command::new("rustup");
    command.args(["target", "add", TARGET]).env("RUSTUP_MAX_RETRIES", "1");
    match run_with(&mut command, Some(PATIENCE), progress).and_then(|o| o.ok()) {
        Ok(_) => active(),
        Err(error) => Err(one_line(&error)),
    }
}

/// A standard library is there: the folder alone may be left over from a broken installation.
fn has_std(sysroot: &Path) -> bool {
    let Ok(files) = sysroot.join("lib/rustlib").join(TARGET).join("lib").read_dir() else { return false };
    files.flatten().any(|f| {
        let name = f.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}

/// The gist of an error, for a list: its first line, and the last one if there is more.
fn one_line(error: &Error) -> String {
    let text = error.to_string();
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    match (lines.next(), lines.next_back()) {
        (Some(first), Some(last)) => format!("{first}: {last}"),
        (first, _) => first.unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_folder_without_a_standard_library_does_not_count() {
        let sysroot = tempfile::tempdir().unwrap();
        let lib = sysroot.path().join("lib/rustlib").join(TARGET).join("lib");
        std::fs::create_dir_all(&lib).unwrap();
        assert!(!has_std(sysroot.path()));
        std::fs::write(lib.join("libstd-0123.rlib"), "").unwrap();
        assert!(has_std(sysroot.path()));
    }

    #[test]
    fn an_error_of_many_lines_is_told_in_one() {
        let error = Error::Command { command: "c".into(), outcome: "ended".into(), output: "a\nb\nlast".into() };
        assert_eq!(one_line(&error), "`c` ended: last");
    }
}
