//! The JSON Schemas of plugins' settings: each written by a native test of the plugin's crate.
//!
//! The type of the settings is Rust; only code that is compiled with it knows its schema. `tidegate_sdk::export!` puts that
//! code into the crate's tests, so that it is never in the component, and nothing but the author's own crate runs.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{
    Error, Progress,
    cargo::{Message, native, package_name},
    process::{run, run_with},
};

/// The test, and the variable that names the file it writes: as `tidegate_sdk::export!` has them.
const TEST: &str = "tidegate_settings_schema";
const VARIABLE: &str = "TIDEGATE_SETTINGS_SCHEMA";

/// The schema of each package's settings, in their order; none for one whose crate has no such test.
///
/// Cargo decides what has to be compiled: for what did not change this costs it one look, and a few milliseconds a plugin.
pub(crate) fn of_packages(
    workspace: &Path,
    packages: &[&str],
    progress: Progress<'_>,
) -> Result<Vec<Option<Value>>, Error> {
    if packages.is_empty() {
        return Ok(Vec::new());
    }
    let mut command = native(workspace, "test");
    command.args(["--lib", "--no-run", "--message-format=json-render-diagnostics"]);
    for package in packages {
        command.args(["--package", package]);
    }
    let no_schema = |packages: String| move |source: Error| Error::NoSchema { packages, source: Box::new(source) };
    let compiled = run_with(&mut command, None, progress).and_then(|output| output.ok());
    let messages = compiled.map_err(no_schema(packages.join(", ")))?;
    let schema = |package: &&str| match test_of(&messages, package) {
        Some(test) => ask(package, &test).map_err(no_schema((*package).to_owned())),
        None => Ok(None),
    };
    packages.iter().map(schema).collect()
}

/// The tests of a package's library that cargo reported.
fn test_of(messages: &str, package: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| package_name(&message.package_id) == Some(package))
        .find_map(|message| message.executable)
}

/// Runs the one test and reads what it wrote.
fn ask(package: &str, test: &Path) -> Result<Option<Value>, Error> {
    let folder = tempfile::tempdir().map_err(Error::io("create", std::env::temp_dir()))?;
    let file = folder.path().join("schema.json");
    run(Command::new(test).args([TEST, "--quiet"]).env(VARIABLE, &file).current_dir(folder.path()))?.ok()?;
    if !file.exists() {
        return Ok(None);
    }
    let text = fs::read(&file).map_err(Error::io("read", &file))?;
    let refuse = |error: serde_json::Error| Error::BadManifest {
        name: package.to_owned(),
        reason: format!("the schema of its settings is not JSON: {error}"),
    };
    serde_json::from_slice(&text).map(Some).map_err(refuse)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A program that stands for the tests of a crate.
    fn script(folder: &Path, text: &str) -> PathBuf {
        let path = folder.join("tests");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn the_schema_is_what_the_one_test_writes() {
        let folder = tempfile::tempdir().unwrap();
        let test = script(folder.path(), r#"echo "{\"title\":\"$1\"}" > "$TIDEGATE_SETTINGS_SCHEMA""#);
        assert_eq!(ask("gate", &test).unwrap().unwrap()["title"], "tidegate_settings_schema");
    }

    #[test]
    fn a_crate_without_the_test_has_no_schema() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(ask("gate", &script(folder.path(), "exit 0")).unwrap(), None);
    }

    #[test]
    fn a_test_that_fails_or_writes_something_else_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let failed = ask("gate", &script(folder.path(), "echo no room >&2; exit 101")).unwrap_err().to_string();
        assert!(failed.contains("no room"), "{failed}");
        let garbled = ask("gate", &script(folder.path(), r#"echo { > "$TIDEGATE_SETTINGS_SCHEMA""#)).unwrap_err();
        assert!(garbled.to_string().contains("gate"), "{garbled}");
    }

    #[test]
    fn the_tests_of_a_package_are_the_executable_that_cargo_reports_for_it() {
        let messages = r#"{"reason":"compiler-artifact","package_id":"path+file:///w/sdk#tidegate-sdk@0.1.0","filenames":["/t/a.rlib"],"executable":null}
{"reason":"compiler-artifact","package_id":"path+file:///w/gate#0.1.0","filenames":["/t/gate-01"],"executable":"/t/gate-01"}"#;
        assert_eq!(test_of(messages, "gate").unwrap(), Path::new("/t/gate-01"));
        assert_eq!(test_of(messages, "tidegate-sdk"), None);
    }
}
