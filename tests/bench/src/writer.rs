//! The writer of restores beside `fio`'s own best for as many bytes on the same file system: both past the page cache, both
//! synced at the end.

use std::{path::Path, process::Command, time::Instant};

use anyhow::{Context, Result, ensure};
use tidegate_replica::trial;
use tidegate_tests_support::{debian, stats::Spread};

use crate::{
    Args, disk,
    figure::{Figure, spread},
};

const BYTES: u64 = 4 << 30;
/// As a restore has it: bytes of a part.
const PART: u64 = 8 << 20;
const THREADS: &[usize] = &[2, 3, 4];

/// One way of calling `fio`.
const FIO: &[(&str, &[&str])] = &[
    ("psync, 1 job", &["--ioengine=psync", "--numjobs=1"]),
    ("psync, 2 jobs", &["--ioengine=psync", "--numjobs=2"]),
    ("psync, 4 jobs", &["--ioengine=psync", "--numjobs=4"]),
    ("io_uring, depth 4", &["--ioengine=io_uring", "--iodepth=4"]),
    ("io_uring, depth 8", &["--ioengine=io_uring", "--iodepth=8"]),
];

/// Somebody's speeds, in GB/s.
struct Lane {
    name: String,
    speeds: Vec<f64>,
}

pub(crate) fn measure(args: &Args) -> Result<Vec<Figure>> {
    let dir = args.dir.join("fast_writer");
    disk::remove(&dir)?;
    std::fs::create_dir_all(&dir)?;
    let name = |threads: &usize| format!("{threads} threads");
    let mut ours: Vec<Lane> = THREADS.iter().map(|n| Lane { name: name(n), speeds: Vec::new() }).collect();
    let mut theirs: Vec<Lane> = FIO.iter().map(|it| Lane { name: it.0.into(), speeds: Vec::new() }).collect();
    let lanes = THREADS.len() + FIO.len();
    for round in 0..=args.rounds.unwrap_or(5) {
        for turn in 0..lanes {
            // In another order in each round, ours and theirs mixed.
            let nth = (turn * 3 + round) % lanes;
            disk::quiet(&dir)?;
            let (lane, speed) = match (THREADS.get(nth), nth.checked_sub(THREADS.len())) {
                (Some(threads), _) => (ours.get_mut(nth), write(&dir, *threads)?),
                (None, Some(nth)) => (theirs.get_mut(nth), fio(&dir, FIO.get(nth).map_or(&[], |it| it.1))?),
                (None, None) => continue,
            };
            // The first round warms up.
            if let (Some(lane), true) = (lane, round > 0) {
                lane.speeds.push(speed);
            }
        }
    }
    disk::remove(&dir)?;
    let (best, rival) = (best(&ours)?, best(&theirs)?);
    let told = |lanes: &[Lane]| {
        let told: Vec<String> = lanes.iter().map(|it| format!("{} {}", it.name, spread(&it.spread(), 1.0))).collect();
        told.join(", ")
    };
    Ok(vec![Figure {
        name: "fast_writer".into(),
        value: best,
        unit: "GB/s",
        peer: "fio, its best",
        peer_value: rival,
        ratio: best / rival,
        note: format!(
            "{BYTES} bytes, O_DIRECT, room taken before and synced after: ours in writes of {PART} bytes, {}; fio in writes \
             of 4 MiB, {}",
            told(&ours),
            told(&theirs)
        ),
    }])
}

impl Lane {
    fn spread(&self) -> Spread {
        Spread::of(self.speeds.iter().copied())
    }
}

fn best(lanes: &[Lane]) -> Result<f64> {
    lanes.iter().map(|lane| lane.spread().median).max_by(f64::total_cmp).context("nothing was measured")
}

fn write(dir: &Path, threads: usize) -> Result<f64> {
    let path = dir.join("ours.bin");
    let started = Instant::now();
    trial::write(&path, BYTES, PART, threads)?;
    let seconds = started.elapsed().as_secs_f64();
    std::fs::remove_file(&path)?;
    Ok(BYTES as f64 / 1e9 / seconds)
}

/// As it says itself: without its start, and without taking the room. Several jobs share one file.
fn fio(dir: &Path, how: &[&str]) -> Result<f64> {
    let path = dir.join("fio.bin");
    let jobs = how.iter().find_map(|arg| arg.strip_prefix("--numjobs=")).unwrap_or("1").parse::<u64>()?;
    let each = BYTES / jobs;
    let mut command = Command::new(debian::program("fio", "fio")?);
    command.args(["--name=write", "--rw=write", "--direct=1", "--bs=4M", "--end_fsync=1", "--fallocate=native"]);
    command.args(["--thread", "--group_reporting", "--output-format=json", "--unlink=0"]).args(how);
    command.arg(format!("--filename={}", path.display()));
    command.args([format!("--filesize={BYTES}"), format!("--size={each}"), format!("--offset_increment={each}")]);
    let output = command.output()?;
    ensure!(output.status.success(), "fio: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::remove_file(&path)?;
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).context("what fio tells")?;
    let speed = told.pointer("/jobs/0/write/bw_bytes").and_then(serde_json::Value::as_f64);
    Ok(speed.context("fio tells no speed")? / 1e9)
}
