//! Checkpoints of a real training run: the example trains, and its whole optimizer state is kept at some steps.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use tidegate_tests_support::venv;

use crate::Args;

/// The step that is kept as a difference, one and ten after a base. The first 60 steps warm up.
pub(crate) const STEP: u64 = 90;
/// What the second moments keep: the default of most libraries. The example itself uses less.
pub(crate) const BETA2: &str = "0.999";

/// One checkpoint.
pub(crate) struct State {
    pub(crate) weights: Vec<u8>,
    pub(crate) first: Vec<u8>,
    pub(crate) second: Vec<u8>,
    pub(crate) bf16: Vec<u8>,
}

impl State {
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let read = |name: &str| fs::read(folder.join(name)).with_context(|| format!("{name} in {}", folder.display()));
        let (weights, first) = (read("weights.bin")?, read("first.bin")?);
        Ok(Self { weights, first, second: read("second.bin")?, bf16: read("bf16.bin")? })
    }

    pub(crate) fn bytes(&self) -> usize {
        self.weights.len() + self.first.len() + self.second.len() + self.bf16.len()
    }

    /// As one file would have it.
    pub(crate) fn whole(&self) -> Vec<u8> {
        [&*self.bf16, &*self.weights, &*self.first, &*self.second].concat()
    }
}

/// Trains, or takes what an earlier run has left: the same program with the same arguments writes the same.
pub(crate) fn states(args: &Args, rate: &str, beta2: &str) -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let out = args.dir.join(format!("states-{rate}-{beta2}"));
    let steps = [STEP - 10, STEP - 1, STEP];
    let last = out.join(STEP.to_string()).join("bf16.bin");
    if last.is_file() {
        return Ok(out);
    }
    eprintln!("  {STEP} steps of the example, then at a rate of {rate}: some minutes ...");
    fs::create_dir_all(&out)?;
    let mut python = Command::new(venv::train_venv()?.python());
    python.arg(root.join("tests/bench/states.py")).arg(root.join("examples/train-gpt")).arg(&out).args([rate, beta2]);
    let done = python.args(steps.map(|step| step.to_string())).output()?;
    ensure!(done.status.success(), "states.py: {}", String::from_utf8_lossy(&done.stderr));
    Ok(out)
}
