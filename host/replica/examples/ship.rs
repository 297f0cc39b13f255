//! Ships the files of a directory to an object target and prints the time and speed, to compare with other tools.
//!
//! `cargo run --release -p tidegate-replica --example ship -- DIR URL [KEY=VALUE ...]`
//!
//! Settings: `concurrency`, `part_mib`, `verify` (auto, checksum, reread, size), `layout` (plain, packed), `encoders`, `step`,
//! `base=DIR` of step 1, which is shipped first, `restore=DIR` to restore afterwards as well; every other one goes to the store (`endpoint`, `allow_http`, `region`, `access_key_id`, ...).
#![allow(clippy::disallowed_methods, reason = "it measures time")]

use std::{fs, io::Read, path::Path, time::Instant};

use anyhow::{Context, Result};
use tidegate_core::{Body, Digest, FileEntry, FileHasher, Metrics};
use tidegate_replica::{Base, Options, Progress, RestoreOptions, Source, Target, restore};

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().context("give a directory")?;
    let url = arguments.next().context("give a URL")?;
    let (mut options, mut step, mut back, mut base) = (Options::default(), 2, None, None);
    for argument in arguments {
        let (key, value) = argument.split_once('=').context("settings are KEY=VALUE")?;
        match key {
            "concurrency" => options.concurrency = value.parse()?,
            "part_mib" => options.part_bytes = value.parse::<u64>()? << 20,
            "verify" => options.verify = value.parse().map_err(anyhow::Error::msg)?,
            "layout" => options.layout = value.parse().map_err(anyhow::Error::msg)?,
            "encoders" => options.encoders = value.parse()?,
            "base" => base = Some(Base::new(1.try_into()?, value)),
            "step" => step = value.parse()?,
            "restore" => back = Some(value.to_owned()),
            _ => drop(options.store.insert(key.to_owned(), value.to_owned())),
        }
    }
    let dir = Path::new(&dir);
    let body = seal(dir, step)?;
    let digest = Digest::of(&body.encode()?);
    let target = Target::open("example".parse()?, &url, options)?;
    target.probe().await?;

    if let Some(base) = &base {
        let body = seal(base.dir(), 1)?;
        let digest = Digest::of(&body.encode()?);
        target.ship(&body, digest, &Metrics::default(), base.dir(), &Progress::new()).await?;
        target.mark_complete(&body.run, body.step).await?;
    }
    let start = Start::now();
    let (metrics, progress) = (Metrics::default(), Progress::new());
    let shipped = target.ship_against(base.as_ref(), &body, digest, &metrics, dir, &progress).await?;
    start.report("shipped", body.bytes());
    println!("{} uploaded, {} reused, verified by {}", shipped.bytes, shipped.reused, shipped.verified);
    println!("{} stored, ratio {:.3}", shipped.stored, body.bytes() as f64 / shipped.stored as f64);
    if let Some(back) = back {
        let (sources, options) = ([Source::Target(&target)], RestoreOptions::default());
        let start = Start::now();
        restore(&body, &sources, &Path::new(&back).join("object"), options.clone(), &Progress::new()).await?;
        start.report("restored from the target", body.bytes());
        let start = Start::now();
        restore(&body, &[Source::Dir(dir)], &Path::new(&back).join("nvme"), options, &Progress::new()).await?;
        start.report("restored from the directory", body.bytes());
    }
    Ok(())
}

struct Start {
    wall: Instant,
    cpu: f64,
}

impl Start {
    fn now() -> Self {
        Self { wall: Instant::now(), cpu: cpu() }
    }

    fn report(&self, what: &str, bytes: u64) {
        let (seconds, cpu) = (self.wall.elapsed().as_secs_f64(), cpu() - self.cpu);
        let speed = bytes as f64 / seconds / 1e9;
        println!("{what}: {bytes} bytes in {seconds:.3} s, {speed:.3} GB/s, {cpu:.2} s of processor time");
    }
}

/// Seconds of processor time of this process so far, user and system.
fn cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The body that the NVMe tier would have made of the files right below a directory.
fn seal(dir: &Path, step: u64) -> Result<Body> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.file_name().to_string_lossy().into_owned().parse()?;
        let (mut file, mut hasher, mut piece) = (fs::File::open(entry.path())?, FileHasher::new(), vec![0; 1 << 20]);
        loop {
            match file.read(&mut piece)? {
                0 => break,
                got => hasher.update(piece.get(..got).unwrap_or_default()),
            }
        }
        let (size, digest, blocks) = hasher.finish();
        files.push(FileEntry { path, size, digest, blocks });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let (rank, world_size) = (0.try_into()?, 1.try_into()?);
    Ok(Body { version: Body::VERSION, run: "example".parse()?, step: step.try_into()?, rank, world_size, files })
}
