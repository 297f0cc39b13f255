//! `cargo xtask prove`: what takes too long for every change, with seeds that are printed and can be given again.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    path::Path,
    process::ExitCode,
};

use anyhow::{Result, ensure};

use crate::{plugins, step::Step, workspace};

/// What to prove, and how hard.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which proof
    #[arg(value_enum, default_value_t = Proof::All)]
    proof: Proof,
    /// The seed, which repeats the choices of a run but not its timing [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
    /// How often the host is killed under load; with the S3 server a quarter of it comes on top
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// How many damaged components, manifests, settings and host calls the sandbox gets, of each
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1..))]
    mutants: u64,
}

/// What can be proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Proof {
    /// `kill -9` at random moments loses nothing that was acknowledged
    Crash,
    /// An object store that fails in every way damages nothing
    Faults,
    /// Damaged components, manifests, settings and host calls make no host panic or hang
    Fuzz,
    /// A thousand swaps of a bot's versions under load lose no event
    Swaps,
    /// A policy in Python runs in its closed room
    Python,
    /// A policy in JavaScript runs in its closed room
    Javascript,
    /// All of them
    All,
}

/// Times that the faults are gone through, each with another seed.
const FAULTS: u64 = 3;

/// A package and one of its test programs.
type Program = (&'static str, &'static str);
const E2E: Program = ("tidegate-tests-e2e", "--test=it");
const SANDBOX: Program = ("tidegate-sandbox", "--test=sandbox");
const ENGINE: Program = ("tidegate-engine", "--test=engine");
const SANDBOX_CALLS: Program = ("tidegate-sandbox", "--lib");

/// Runs the proofs one after the other; their logs lie in `target/xtask`.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let root = workspace::root()?;
    let wanted = |proof| args.proof == Proof::All || args.proof == proof;
    let mut sure = one(&root, "prove set-up", |step| set_up(step, &root))?;
    if sure && wanted(Proof::Crash) {
        let variables = seeded(args.seed, 0).chain([("TIDEGATE_TEST_ROUNDS", args.rounds)]).collect();
        sure &= one(&root, "prove crash", |step| tests(step, &root, E2E, "crash::", variables))?;
    }
    for nth in (0..FAULTS).take_while(|_| wanted(Proof::Faults)) {
        let variables = seeded(args.seed, nth).collect();
        sure &= sure
            && one(&root, &format!("prove faults {}", nth + 1), |step| tests(step, &root, E2E, "faults::", variables))?;
    }
    let seed = args.seed.unwrap_or_else(chance);
    for (what, program) in [("calls", SANDBOX_CALLS), ("bytes", SANDBOX)].into_iter().filter(|_| wanted(Proof::Fuzz)) {
        let variables = vec![("TIDEGATE_TEST_SEED", seed), ("TIDEGATE_TEST_MUTANTS", args.mutants)];
        sure &=
            sure && one(&root, &format!("prove fuzz {what}"), |step| tests(step, &root, program, "fuzz", variables))?;
    }
    let ignored = [
        (Proof::Swaps, ENGINE, "a_thousand_swaps"),
        (Proof::Python, E2E, "python_runs_in_a_closed_room"),
        (Proof::Javascript, E2E, "javascript_runs_in_a_closed_room"),
    ];
    for (proof, program, name) in ignored.into_iter().filter(|(proof, ..)| wanted(*proof)) {
        let title = format!("prove {}", format!("{proof:?}").to_lowercase());
        sure &= sure && one(&root, &title, |step| tests(step, &root, program, name, Vec::new()))?;
    }
    Ok(if sure { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One step with a log of its own; false if it failed.
fn one(root: &Path, name: &str, prove: impl FnOnce(&mut Step<'_>) -> Result<()>) -> Result<bool> {
    let mut step = Step::begin(name, "", &root.join("target/xtask"))?;
    let proven = prove(&mut step);
    step.end(if proven.is_ok() { "ok" } else { "FAIL" }, proven.as_ref().err());
    Ok(proven.is_ok())
}

/// Another seed each time: these tests have a usual one, for every change, which has nothing new to find.
fn chance() -> u64 {
    RandomState::new().build_hasher().finish() >> 32
}

fn seeded(seed: Option<u64>, nth: u64) -> impl Iterator<Item = (&'static str, u64)> {
    seed.map(|seed| ("TIDEGATE_TEST_SEED", seed.wrapping_add(nth))).into_iter()
}

/// The plugins and the binary that the tests start.
fn set_up(step: &mut Step<'_>, root: &Path) -> Result<()> {
    plugins::build(root, &mut |line| step.say(line))?;
    let mut build = workspace::cargo(root);
    build.args(["build", "--package", "tidegate"]);
    step.must(build).map(drop)
}

/// Runs the tests of one module, and shows their seeds and what they did.
fn tests(
    step: &mut Step<'_>,
    root: &Path,
    (package, program): Program,
    module: &str,
    variables: Vec<(&str, u64)>,
) -> Result<()> {
    let mut test = workspace::cargo(root);
    test.args(["test", "--package", package, program, "--", "--nocapture", "--include-ignored", module]);
    test.envs(variables.into_iter().map(|(name, value)| (name, value.to_string())));
    let output = step.run(test)?;
    for line in output.text.lines().filter(|line| telling(line)) {
        println!("  {line}");
    }
    output.check("the proof")?;
    ensure!(output.text.contains("test result: ok. "), "no test has run");
    ensure!(!output.text.contains("test result: ok. 0 passed"), "there is no test {module}");
    Ok(())
}

/// Seeds, tallies and verdicts; the rest is in the log.
fn telling(line: &str) -> bool {
    [
        "TIDEGATE_TEST_SEED=",
        " kills under load",
        " commits were answered",
        " requests, ",
        " mutants were accepted",
        " swaps, ",
        "test result: ",
    ]
    .iter()
    .any(|part| line.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_goes_on_with_each_time_and_none_stays_none() {
        assert_eq!(seeded(Some(u64::MAX), 2).collect::<Vec<_>>(), [("TIDEGATE_TEST_SEED", 1)]);
        assert_eq!(seeded(None, 2).count(), 0);
    }

    #[test]
    fn a_proof_that_fails_is_no_success() {
        let root = tempfile::tempdir().unwrap();
        assert!(one(root.path(), "good", |_| Ok(())).unwrap());
        assert!(!one(root.path(), "bad", |_| anyhow::bail!("not so")).unwrap());
        assert!(root.path().join("target/xtask/bad.log").is_file());
    }

    #[test]
    fn what_is_shown_of_a_proof_is_its_seed_and_its_figures() {
        assert!(telling("TIDEGATE_TEST_SEED=1 TIDEGATE_TEST_ROUNDS=2"));
        assert!(!telling("running 2 tests"));
    }
}
