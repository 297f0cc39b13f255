//! The checkpoints that are moved: bytes that nothing can make smaller, and the state of a real training.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde_json::json;

use super::{LAYOUTS, tools::Who};
use crate::{
    Args,
    disk::Writer,
    state::{BETA2, STEP, State, states},
};

/// One checkpoint.
pub(crate) struct Load {
    /// The end of its figures' names.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) files: u64,
    /// Rounds that are measured after the one that warms up.
    pub(crate) rounds: usize,
    /// Those who take part.
    pub(crate) who: &'static [Who],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Each file has so many bytes.
    Random(u64),
    /// As safetensors, in the host's default layout, after the step before.
    Real,
}

const ALL: &[Who] = &[Who::Tidegate, Who::S5cmd, Who::Rclone, Who::Restic];
/// Where four copies would be too much for a disk.
const FEW: &[Who] = &[Who::Tidegate, Who::S5cmd, Who::Rclone];

/// All of them. The first ones are moved as they are, the last ones with the host's default layout.
pub(crate) const LOADS: &[Load] = &[
    Load { name: "raw", kind: Kind::Random(64 << 20), files: 16, rounds: 5, who: ALL },
    Load { name: "raw_1", kind: Kind::Random(1 << 30), files: 1, rounds: 5, who: ALL },
    Load { name: "raw_100", kind: Kind::Random(8 << 20), files: 100, rounds: 5, who: ALL },
    Load { name: "raw_10000", kind: Kind::Random(64 << 10), files: 10_000, rounds: 3, who: ALL },
    Load { name: "raw_4GiB", kind: Kind::Random(256 << 20), files: 16, rounds: 3, who: FEW },
    Load { name: "default", kind: Kind::Real, files: 4, rounds: 5, who: ALL },
    Load { name: "default_1", kind: Kind::Real, files: 1, rounds: 5, who: ALL },
    Load { name: "default_100", kind: Kind::Real, files: 100, rounds: 5, who: ALL },
    Load { name: "default_10000", kind: Kind::Real, files: 10_000, rounds: 3, who: ALL },
];

impl Load {
    /// The steps that are saved one after the other; the last one is measured.
    pub(super) fn steps(&self) -> &'static [u64] {
        match self.kind {
            Kind::Random(_) => &[1],
            Kind::Real => &[STEP - 1, STEP],
        }
    }

    /// What the host is told of its layout.
    pub(super) fn layout(&self) -> Option<&'static str> {
        let (plain, packed) = LAYOUTS?;
        Some(if self.kind == Kind::Real { packed } else { plain })
    }

    /// Writes one of its steps.
    pub(super) fn write(&self, args: &Args, step: u64, dir: &Path) -> Result<u64> {
        match self.kind {
            Kind::Random(bytes) => {
                let mut writer = Writer::new();
                for nth in 0..self.files {
                    drop(writer.write(&dir.join(format!("part-{nth:05}.bin")), bytes)?);
                }
                Ok(self.files * bytes)
            }
            Kind::Real => {
                let state = State::read(&states(args, "3e-4", BETA2)?.join(step.to_string()))?;
                let tensors = [
                    ("bf16", "BF16", 2, &state.bf16),
                    ("weights", "F32", 4, &state.weights),
                    ("first", "F32", 4, &state.first),
                    ("second", "F32", 4, &state.second),
                ];
                let tensors = tensors.map(|(name, dtype, width, bytes)| Tensor { name, dtype, width, bytes });
                self.write_tensors(&tensors, dir)
            }
        }
    }

    /// All tensors in one file, or each cut into equal shares of the files.
    fn write_tensors(&self, tensors: &[Tensor<'_>], dir: &Path) -> Result<u64> {
        let Some(shares) = usize::try_from(self.files)?.checked_div(tensors.len()).filter(|shares| *shares > 0) else {
            return write_safetensors(&dir.join("state.safetensors"), tensors);
        };
        let mut bytes = 0;
        for tensor in tensors {
            let count = (tensor.bytes.len() / tensor.width).div_ceil(shares) * tensor.width;
            for (nth, part) in tensor.bytes.chunks(count).enumerate() {
                let path = dir.join(format!("{}-{nth:05}.safetensors", tensor.name));
                bytes += write_safetensors(&path, &[Tensor { bytes: part, ..*tensor }])?;
            }
        }
        Ok(bytes)
    }
}

#[derive(Clone, Copy)]
struct Tensor<'a> {
    name: &'a str,
    dtype: &'a str,
    width: usize,
    bytes: &'a [u8],
}

/// The length of a header in 8 bytes, the header, and the tensors' bytes.
fn write_safetensors(path: &Path, tensors: &[Tensor<'_>]) -> Result<u64> {
    let (mut header, mut end) = (serde_json::Map::new(), 0);
    for Tensor { name, dtype, width, bytes } in tensors {
        let start = end;
        end += bytes.len();
        let value = json!({ "dtype": dtype, "shape": [bytes.len() / width], "data_offsets": [start, end] });
        header.insert((*name).to_owned(), value);
    }
    let mut header = serde_json::to_vec(&header)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut all = (header.len() as u64).to_le_bytes().to_vec();
    all.extend(header);
    tensors.iter().for_each(|tensor| all.extend_from_slice(tensor.bytes));
    fs::write(path, &all).with_context(|| format!("write {}", path.display()))?;
    Ok(all.len() as u64)
}
