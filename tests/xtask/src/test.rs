//! `cargo xtask test`: every check, one after the other, with the count of all tests on the last line.

mod checks;
mod counts;

use std::{path::Path, process::ExitCode};

use anyhow::Result;

use self::{
    checks::{CHECKS, Check, Outcome},
    counts::Counts,
};
use crate::{step::Step, workspace};

/// Which checks to run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the checks whose names contain one of these
    names: Vec<String>,
    /// Name the checks and run none
    #[arg(long)]
    list: bool,
}

/// Runs the checks to the last, also when one fails, and fails if any did.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let wanted = |check: &&Check| args.names.is_empty() || args.names.iter().any(|n| check.name.contains(n.as_str()));
    let checks: Vec<&Check> = CHECKS.iter().filter(wanted).collect();
    if args.list {
        checks.iter().for_each(|check| println!("{:12}  {}", check.name, check.about));
        return Ok(ExitCode::SUCCESS);
    }
    let root = workspace::root()?;
    let mut report = Report::default();
    for (index, check) in checks.iter().enumerate() {
        report.one(check, &format!("{}/{}", index + 1, checks.len()), &root)?;
    }
    report.print();
    Ok(if report.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What came out until now.
#[derive(Default)]
struct Report {
    counts: Counts,
    summaries: Vec<String>,
    failed: Vec<&'static str>,
    left_out: Vec<String>,
}

impl Report {
    fn one(&mut self, check: &Check, position: &str, root: &Path) -> Result<()> {
        let missing = check.needs.iter().find(|need| self.failed.contains(need));
        if let Some(need) = missing {
            eprintln!("   FAIL  {} (not run: it needs {need})", check.name);
            self.failed.push(check.name);
            self.counts.failed += 1;
            return Ok(());
        }
        let mut step = Step::begin(check.name, position, &root.join("target/xtask"))?;
        let Outcome { counts, summary, result } = (check.run)(&mut step, root);
        self.counts += counts;
        self.summaries.extend(summary.map(|line| format!("{}: {line}", check.name)));
        match result {
            Ok(None) => step.end("ok", None),
            Ok(Some(why)) => {
                step.end("left out", None);
                self.left_out.push(format!("{}: {why}", check.name));
            }
            Err(error) => {
                step.end("FAIL", Some(&error));
                self.failed.push(check.name);
                // A check that fails without a failed test counts as one, so that the last line never says that all is well.
                self.counts.failed += u64::from(counts.failed == 0);
            }
        }
        Ok(())
    }

    /// The runners' own summaries, and the counts alone on the last line.
    fn print(&self) {
        println!();
        self.summaries.iter().for_each(|line| println!("{line}"));
        self.left_out.iter().for_each(|line| println!("left out: {line}"));
        if !self.failed.is_empty() {
            println!("failed: {}", self.failed.join(", "));
        }
        println!("{} passed, {} failed", self.counts.passed, self.counts.failed);
    }
}
