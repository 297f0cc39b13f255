//! One `cargo build` for all plugins, and which files it says it made.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

use crate::{Error, Progress, Toolchain, process::run_with};

/// A line of `--message-format=json`; the other kinds of message have no `filenames`.
#[derive(Deserialize)]
pub(crate) struct Message {
    #[serde(default)]
    pub(crate) package_id: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    #[serde(default)]
    pub(crate) executable: Option<PathBuf>,
}

/// Cargo for this machine itself, with the caller's flags: what it compiles is what the author's own `cargo test` uses.
pub(crate) fn native(workspace: &Path, verb: &str) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace).arg(verb);
    command
}

const PROFILE: [&str; 7] = [
    "inherits='release'",
    "opt-level='s'",
    "lto=true",
    "codegen-units=1",
    "panic='abort'",
    "strip=true",
    "debug=false",
];

/// Builds the packages and returns the module of each, in their order.
pub(crate) fn build(
    toolchain: &Toolchain,
    workspace: &Path,
    packages: &[&str],
    progress: Progress<'_>,
) -> Result<Vec<PathBuf>, Error> {
    let mut command = toolchain.cargo_build(workspace);
    command.args(["--profile", "plugin", "--message-format=json-render-diagnostics", "--target-dir"]);
    command.arg(Path::new("target").join("wasm"));
    // Small, without unwinding: `panic` aborts the instance, which the host sees as a trap. Said here, so that a crate
    // outside this workspace needs no profile of its own.
    for line in PROFILE {
        command.args(["--config", &format!("profile.plugin.{line}")]);
    }
    for package in packages {
        command.args(["--package", package]);
    }
    let messages = run_with(&mut command, None, progress)?.ok()?;
    packages.iter().map(|package| module_of(&messages, package)).collect()
}

/// The last `.wasm` file that cargo reported for the package.
fn module_of(messages: &str, package: &str) -> Result<PathBuf, Error> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| package_name(&message.package_id) == Some(package))
        .flat_map(|message| message.filenames)
        .rfind(|file| file.extension().is_some_and(|e| e == "wasm"))
        .ok_or_else(|| Error::NoModule { package: package.to_owned() })
}

/// The name in a package id: `path+file:///w/plugins/prune#tidegate-plugin-prune@0.1.0`, or `path+file:///w/prune#0.1.0`
/// when the folder has the package's name.
pub(crate) fn package_name(id: &str) -> Option<&str> {
    let (url, fragment) = id.rsplit_once('#')?;
    match fragment.split_once('@') {
        Some((name, _version)) => Some(name),
        None => url.rsplit('/').next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_the_wasm_file_that_cargo_reports() {
        let messages = r#"{"reason":"compiler-artifact","package_id":"path+file:///w/plugins/prune#tidegate-plugin-prune@0.1.0","filenames":["/t/a.rlib","/t/a.wasm"]}
{"reason":"compiler-artifact","package_id":"path+file:///w/other#0.1.0","filenames":["/t/other.wasm"]}
{"reason":"build-finished","success":true}"#;
        assert_eq!(module_of(messages, "tidegate-plugin-prune").unwrap(), Path::new("/t/a.wasm"));
        assert_eq!(module_of(messages, "other").unwrap(), Path::new("/t/other.wasm"));
    }

    #[test]
    fn a_package_that_is_no_cdylib_is_told_how_to_become_one() {
        let error = module_of("{\"reason\":\"build-finished\"}", "x").unwrap_err().to_string();
        assert!(error.contains("cdylib"), "{error}");
    }
}
