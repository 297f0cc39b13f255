//! How small other tools make the same checkpoint: `tests/bench/peers.py` asks those that are Python packages.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use tidegate_tests_support::{debian, venv};

use crate::{Args, disk};

/// How many times smaller, a tool each.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    /// As a user has them.
    pub(crate) tools: Vec<(&'static str, f64)>,
    /// With work of the user's own.
    by_hand: Vec<(&'static str, f64)>,
}

impl Peers {
    /// Of the whole state, and of the bf16 weights alone; both arguments are folders with one state.
    pub(crate) fn measure(args: &Args, state: &Path, base: &Path) -> Result<(Self, Self)> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers.py");
        let output = Command::new(venv::codecs_venv()?.python()).arg(script).args([state, base]).output()?;
        ensure!(output.status.success(), "peers.py: {}", String::from_utf8_lossy(&output.stderr));
        let sizes: BTreeMap<String, [f64; 2]> =
            serde_json::from_slice(&output.stdout).context("what peers.py tells")?;
        let size = |name: &str| sizes.get(name).copied().with_context(|| format!("peers.py tells nothing of {name}"));
        let (raw, mut whole, mut bf16) = (size("raw")?, Self::default(), Self::default());
        let mut add = |by_hand: bool, told: &'static str, name: &str| {
            for (peers, (raw, size)) in [&mut whole, &mut bf16].into_iter().zip(raw.into_iter().zip(size(name)?)) {
                if by_hand { &mut peers.by_hand } else { &mut peers.tools }.push((told, raw / size));
            }
            anyhow::Ok(())
        };
        add(false, "ZipNN", "zipnn")?;
        add(false, "xet's byte grouping + LZ4", "xet")?;
        add(true, "ZipNN of the XOR with the base", "zipnn_xor")?;
        add(true, "xet's of the XOR", "lz4_xor")?;
        let [raw, _] = raw;
        whole.tools.push(("restic, the second of two", raw / restic(args, state, base)?));
        Ok((whole, bf16))
    }

    /// The best tool.
    pub(crate) fn best(&self) -> Option<(&'static str, f64)> {
        self.tools.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// All of them.
    pub(crate) fn told(&self) -> String {
        let told: Vec<_> = self.tools.iter().chain(&self.by_hand).map(|(who, it)| format!("{who} {it:.3}")).collect();
        told.join(", ")
    }
}

/// Bytes by which a repository grows with the state when it has the base.
fn restic(args: &Args, state: &Path, base: &Path) -> Result<f64> {
    let dir = args.dir.join("restic");
    disk::remove(&dir)?;
    fs::create_dir_all(&dir)?;
    let (restic, repo) = (debian::program("restic", "restic")?, dir.join("repo"));
    let run = |arguments: &[&str], folder: &Path| {
        let mut command = Command::new(&restic);
        command.arg("--repo").arg(&repo).arg("--no-cache").args(arguments).current_dir(folder);
        let output = command.env("RESTIC_PASSWORD", "bench").stdin(Stdio::null()).output()?;
        ensure!(output.status.success(), "restic: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    };
    run(&["init"], &dir)?;
    run(&["backup", "."], base)?;
    let before = disk::size(&repo)?;
    run(&["backup", "."], state)?;
    let after = disk::size(&repo)?;
    disk::remove(&dir)?;
    Ok((after - before) as f64)
}
