//! What happens to a host's tier while the host is dead.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use anyhow::Result;
use fastrand::Rng;

use super::{
    history::History,
    ledger::{Ledger, Shard},
};

/// Damage that was done.
#[derive(Clone, Debug)]
pub(super) enum Damage {
    /// A shard's directory was removed.
    Removed(Shard),
    /// A bit of a shard's file was flipped.
    Flipped(Shard),
}

/// The shard directories on the tier.
pub(super) fn shards_below(tier: &Path) -> Result<BTreeSet<Shard>> {
    let mut found = BTreeSet::new();
    for run in fs::read_dir(tier.join("runs"))? {
        let run = run?;
        // Runs and shards may go while they are listed.
        for shard in fs::read_dir(run.path()).into_iter().flatten() {
            let name = shard?.file_name().to_string_lossy().into_owned();
            let (step, rank) = name.split_once('.').unwrap_or((&name, ""));
            let run = run.file_name().to_string_lossy().into_owned();
            found.insert((run, step.parse().unwrap_or(u64::MAX), rank.parse().unwrap_or(u32::MAX)));
        }
    }
    Ok(found)
}

pub(super) fn directory_of(tier: &Path, (run, step, rank): &Shard) -> PathBuf {
    tier.join("runs").join(run).join(format!("{step:016}.{rank:05}"))
}

/// Damages a shard that the journal knows, mostly one with a copy in object storage.
pub(super) fn damage(tier: &Path, history: &History, ledger: &mut Ledger, rng: &mut Rng) -> Result<Option<Damage>> {
    let known = history.nvme_shards();
    let here = shards_below(tier)?;
    let spare = rng.u32(..4) == 0;
    let fit = here.iter().filter(|shard| known.contains(*shard) && !ledger.damaged.contains(*shard));
    let fit: Vec<&Shard> = fit.filter(|(run, step, _)| spare || history.is_replicated(run, *step)).collect();
    let Some(shard) = rng.choice(fit).cloned() else { return Ok(None) };
    let dir = directory_of(tier, &shard);
    let damage = match rng.bool().then(|| largest_file(&dir.join("files"))).flatten() {
        Some((file, size)) => {
            flip(&file, rng.u64(..size))?;
            Damage::Flipped(shard.clone())
        }
        None => {
            fs::remove_dir_all(&dir)?;
            Damage::Removed(shard.clone())
        }
    };
    ledger.scarred.insert((shard.0.clone(), shard.1));
    ledger.damaged.insert(shard);
    Ok(Some(damage))
}

/// Flips a bit in place.
pub(super) fn flip(path: &Path, at: u64) -> Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut byte = [0];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut byte)?;
    file.seek(SeekFrom::Start(at))?;
    file.write_all(&[byte[0] ^ 0x10])?;
    Ok(())
}

fn largest_file(dir: &Path) -> Option<(PathBuf, u64)> {
    let mut todo = vec![dir.to_owned()];
    let mut largest = None;
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(dir).ok()?.flatten() {
            let meta = entry.metadata().ok()?;
            if meta.is_dir() {
                todo.push(entry.path());
            } else if meta.len() > largest.as_ref().map_or(0, |(_, size)| *size) {
                largest = Some((entry.path(), meta.len()));
            }
        }
    }
    largest
}
