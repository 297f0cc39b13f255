//! What lies in object storage is read without Tidegate: by `host/replica/reader.py`, which knows `FORMAT.md` and nothing else.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use serde_json::Value;
use tempfile::TempDir;
use tidegate_client::api::{Begin, Commit, Tier};
use tidegate_tests_support::{
    host::{Options, TidegateProcess},
    venv::reader_venv,
    wait,
};

use crate::{ask::Ask, workshop::root};

const RUN: &str = "gpt-2_x.y";
const WORLD_SIZE: u32 = 2;

/// Runs the reader, which compares what it restores with the files in `expected`; what it says.
fn read(bucket: &Path, expected: &str) -> Result<Value> {
    let restored = tempfile::tempdir()?;
    let mut reader = Command::new(reader_venv()?.python());
    reader.arg(root().join("host/replica/reader.py")).arg(bucket).arg(restored.path()).args(["--expected", expected]);
    let out = reader.output()?;
    if !out.status.success() {
        bail!("{}", String::from_utf8_lossy(&out.stderr));
    }
    let said = serde_json::from_slice(&out.stdout).context("what the reader says")?;
    println!("{said}");
    Ok(said)
}

fn steps(said: &Value) -> Vec<u64> {
    let restored = said["restored"].as_array().map(Vec::as_slice).unwrap_or_default();
    restored.iter().filter_map(|it| it["step"].as_u64()).collect()
}

fn met(said: &Value, coding: &str) -> bool {
    said["met"].get(coding).is_some()
}

/// A host whose object store is a directory, and copies of all files that were committed to it.
struct Scene {
    ask: Ask,
    // Ends before its folder goes.
    _host: TidegateProcess,
    folder: TempDir,
}

impl Scene {
    fn new(layout: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let object = format!("file://{}/object", folder.path().display());
        let options = Options::dev(&folder.path().join("host")).object(&object);
        let host = options.env("TIDEGATE_OBJECT__LAYOUT", layout).start()?;
        Ok(Self { ask: Ask::new(&host.socket())?, _host: host, folder })
    }

    fn committed(&self, step: &str, rank: &str) -> PathBuf {
        self.folder.path().join("committed").join(step).join(rank)
    }

    /// A checkpoint of all ranks, and its copy in object storage.
    fn save(&self, step: u64) -> Result<()> {
        for rank in 0..WORLD_SIZE {
            let begin = Begin { run: RUN.to_owned(), step, rank, world_size: WORLD_SIZE, bytes: None };
            let save = self.ask.run(self.ask.client.begin(&begin))?;
            for (path, bytes) in files(step, rank) {
                for top in [Path::new(&save.path), &self.committed(&step.to_string(), &rank.to_string())] {
                    let to = top.join(path);
                    to.parent().map_or(Ok(()), fs::create_dir_all)?;
                    fs::write(to, &bytes)?;
                }
            }
            self.ask.run(self.ask.client.commit(&save.save_id, &Commit::default()))?;
        }
        wait::until("a verified copy in object storage", Duration::from_secs(240), || {
            let checkpoint = self.ask.run(self.ask.client.checkpoint(RUN, step))?;
            Ok(checkpoint.tiers.contains(&Tier::Object).then_some(()))
        })
    }

    fn read(&self) -> Result<Value> {
        read(&self.folder.path().join("object"), &self.committed("{step}", "{rank}").to_string_lossy())
    }
}

/// What a trainer may save: weights twice, as fp32 of more than a block and as bf16; files that change, grow and stay.
fn files(step: u64, rank: u32) -> Vec<(&'static str, Vec<u8>)> {
    let words = if rank == 0 { 1_100_000 } else { 5000 };
    let mut rng = Rng::with_seed(u64::from(rank));
    let mut weights: Vec<f32> = (0..words).map(|_| (rng.f32() - 0.5) * rng.f32()).collect();
    for update in 1..step {
        rng.seed(update);
        weights.iter_mut().for_each(|weight| *weight += (rng.f32() - 0.5) * 1e-6);
    }
    let noise: Vec<u8> = (0..70_001).map(|_| rng.u8(..)).collect();
    let masters = weights.iter().flat_map(|weight| weight.to_le_bytes()).collect();
    let rounded = weights.iter().flat_map(|weight| bf16(*weight).to_le_bytes()).collect();
    let ids = (0..10_000_u64).flat_map(|at| (at * at + step).to_le_bytes()).collect();
    vec![
        ("empty", Vec::new()),
        ("log ü.txt", "a step was taken\n".repeat(100 * step as usize).into_bytes()),
        ("noise.bin", noise),
        ("optimizer/masters.safetensors", safetensors("F32", masters)),
        ("state/ids.safetensors", safetensors("I64", ids)),
        ("still/frozen.bin", vec![rank as u8 + 1; 300_000]),
        ("still/frozen too.bin", vec![rank as u8 + 1; 300_000]),
        ("weights.safetensors", safetensors("BF16", rounded)),
    ]
}

fn bf16(word: f32) -> u16 {
    let bits = word.to_bits();
    ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

fn safetensors(dtype: &str, tensor: Vec<u8>) -> Vec<u8> {
    let width = match dtype {
        "BF16" => 2,
        "F32" => 4,
        _ => 8,
    };
    let header = serde_json::json!({ "w": {
        "dtype": dtype, "shape": [tensor.len() / width], "data_offsets": [0, tensor.len()],
    } });
    let header = header.to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &tensor].concat()
}

#[test]
fn the_vectors_are_read_without_tidegate() -> Result<()> {
    let vectors = root().join("host/replica/vectors");
    let said = read(&vectors.join("bucket"), &vectors.join("expected/{step}").to_string_lossy())?;
    ensure!(steps(&said) == [1, 2, 3], "{said}");
    Ok(())
}

#[test]
fn what_a_host_keeps_as_packs_is_read_without_tidegate() -> Result<()> {
    let scene = Scene::new("packed")?;
    (1..=3).try_for_each(|step| scene.save(step))?;
    let said = scene.read()?;
    ensure!(steps(&said) == [1, 2, 3], "{said}");
    ensure!(["narrowed", "same", "planes", "raw"].into_iter().all(|coding| met(&said, coding)), "{said}");
    ensure!(["difference", "less", "xor"].into_iter().any(|coding| met(&said, coding)), "{said}");
    Ok(())
}

#[test]
fn what_a_host_keeps_as_files_is_read_without_tidegate() -> Result<()> {
    let scene = Scene::new("plain")?;
    scene.save(1)?;
    let said = scene.read()?;
    ensure!(steps(&said) == [1] && said["met"] == serde_json::json!({}), "{said}");
    Ok(())
}

#[test]
fn a_flipped_bit_of_a_bucket_is_seen_without_tidegate() -> Result<()> {
    let vectors = root().join("host/replica/vectors");
    let bucket = tempfile::tempdir()?;
    copy(&vectors.join("bucket"), bucket.path())?;
    let pack = fs::read_dir(bucket.path().join("v1/runs/gpt/0000000000000002/00000/packs"))?.next();
    let pack = pack.context("there is no pack")??.path();
    let mut bytes = fs::read(&pack)?;
    bytes[100] ^= 1;
    fs::write(&pack, bytes)?;
    ensure!(read(bucket.path(), &vectors.join("expected/{step}").to_string_lossy()).is_err(), "it was restored");
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        let (from, to) = (from.join(&name), to.join(&name));
        if from.is_dir() { copy(&from, &to)? } else { fs::copy(&from, &to).map(drop)? }
    }
    Ok(())
}
