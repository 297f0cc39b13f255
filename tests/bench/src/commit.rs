//! A save through the host beside a plain write + fsync of the same bytes.
//!
//! Both use the same writer on the same file system, take turns, and swap who is first. Between two measurements the old
//! bytes are deleted, the digests of the last save are finished, and the file system is synced: nobody pays for what
//! another left. The extra figure `_back_to_back` is without that mercy: saves follow each other at once, while the host
//! makes digests of the ones before.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use tidegate_client::{
    Address, Client,
    api::{Begin, Checkpoint, Commit, PruneRequest, Tier},
};
use tidegate_tests_support::{host, stats::Spread, wait};
use tokio::runtime::Runtime;

use crate::{
    Args,
    disk::{self, Writer},
    figure::{Figure, spread},
};

/// What is saved, and how often.
pub(crate) struct Case {
    name: &'static str,
    bytes: u64,
    /// Pairs that are measured after the one that warms up.
    rounds: usize,
    /// Saves in a row for the extra figure; 0 leaves it out.
    row: u64,
}

pub(crate) const SMALL: Case = Case { name: "commit_overhead_64MiB", bytes: 64 << 20, rounds: 31, row: 8 };
pub(crate) const MIDDLE: Case = Case { name: "commit_overhead_1GiB", bytes: 1 << 30, rounds: 9, row: 4 };
pub(crate) const LARGE: Case = Case { name: "commit_overhead_4GiB", bytes: 4 << 30, rounds: 5, row: 0 };

const RUN: &str = "bench";
/// For anything that the host does after its answer.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long one save took, in seconds.
#[derive(Debug, Clone, Copy, Default)]
struct Stall {
    begin: f64,
    write: f64,
    commit: f64,
}

impl Stall {
    fn total(&self) -> f64 {
        self.begin + self.write + self.commit
    }
}

/// Both sides, on one file system.
struct Bench {
    // Before the host, whose requests it makes.
    runtime: Runtime,
    client: Client,
    _host: host::TidegateProcess,
    dir: PathBuf,
    writer: Writer,
    step: u64,
}

pub(crate) fn measure(args: &Args, case: &Case) -> Result<Vec<Figure>> {
    let dir = args.dir.join(case.name);
    disk::remove(&dir)?;
    let mut bench = Bench::start(args, &dir)?;
    let figures = bench.run(case, args.rounds.unwrap_or(case.rounds));
    drop(bench);
    disk::remove(&dir)?;
    figures
}

impl Bench {
    fn start(args: &Args, dir: &Path) -> Result<Self> {
        let no_plugins = dir.join("no-plugins");
        fs::create_dir_all(&no_plugins)?;
        // No bot: nothing is copied while it is measured. One copy is enough for safe prune to let old steps go.
        let options = host::Options::dev(&dir.join("host")).with_binary(&args.host).arg("--plugins").arg(&no_plugins);
        let host = options.env("TIDEGATE_POLICY__COPIES", "1").start()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = Client::new(Address::Unix(host.socket()));
        Ok(Self { runtime, client, _host: host, dir: dir.into(), writer: Writer::new(), step: 0 })
    }

    fn run(&mut self, case: &Case, rounds: usize) -> Result<Vec<Figure>> {
        let (mut ours, mut plain) = (Vec::new(), Vec::new());
        for round in 0..=rounds {
            let first = round % 2 == 0;
            for turn in [first, !first] {
                let stall = if turn { self.tidegate(case.bytes)? } else { self.plain(case.bytes)? };
                self.settle()?;
                // The first pair warms up.
                if round > 0 {
                    if turn { &mut ours } else { &mut plain }.push(stall);
                }
            }
        }
        let mut figures = vec![figure(case, &ours, &plain)];
        if case.row > 0 {
            figures.push(self.row(case)?);
        }
        Ok(figures)
    }

    /// Saves that follow each other at once, digests and all.
    fn row(&mut self, case: &Case) -> Result<Figure> {
        let (mut ours, mut plain) = (Vec::new(), Vec::new());
        for round in 0..4 {
            let first = round % 2 == 0;
            for turn in [first, !first] {
                let started = Instant::now();
                for _ in 0..case.row {
                    if turn {
                        self.tidegate(case.bytes)?
                    } else {
                        self.plain(case.bytes)?
                    };
                }
                let took = started.elapsed().as_secs_f64() / case.row as f64;
                self.settle()?;
                if round > 0 {
                    if turn { &mut ours } else { &mut plain }.push(took);
                }
            }
        }
        let (ours, plain) = (Spread::of(ours), Spread::of(plain));
        Ok(Figure {
            name: format!("{}_back_to_back", case.name),
            value: ours.median / plain.median,
            unit: "x",
            peer: "plain write + fsync",
            peer_value: 1.0,
            ratio: plain.median / ours.median,
            note: format!(
                "{} saves in a row, digests of the ones before are made meanwhile; ms a save: Tidegate {}; plain {}",
                case.row,
                spread(&ours, 1e3),
                spread(&plain, 1e3)
            ),
        })
    }

    /// One save through the host.
    fn tidegate(&mut self, bytes: u64) -> Result<Stall> {
        self.step += 1;
        let begin = Begin { run: RUN.into(), step: self.step, rank: 0, world_size: 1, bytes: Some(bytes) };
        let started = Instant::now();
        let save = self.runtime.block_on(self.client.begin(&begin))?;
        let begun = Instant::now();
        drop(self.writer.write(&Path::new(&save.path).join("weights.bin"), bytes)?);
        let written = Instant::now();
        let done = self.runtime.block_on(self.client.commit(&save.save_id, &Commit::default()))?;
        let ended = Instant::now();
        ensure!(done.complete && done.bytes == bytes, "the commit is of something else: {done:?}");
        Ok(stall(started, begun, written, ended))
    }

    /// What a careful trainer does by hand: a directory, a file, their syncs.
    fn plain(&mut self, bytes: u64) -> Result<Stall> {
        self.step += 1;
        let top = self.dir.join("plain");
        fs::create_dir_all(&top)?;
        let dir = top.join(self.step.to_string());
        let started = Instant::now();
        fs::create_dir(&dir)?;
        let begun = Instant::now();
        let file = self.writer.write(&dir.join("weights.bin"), bytes)?;
        let written = Instant::now();
        file.sync_all()?;
        disk::sync_dir(&dir)?;
        disk::sync_dir(&top)?;
        let ended = Instant::now();
        Ok(stall(started, begun, written, ended))
    }

    /// Deletes what is old, waits for the digests of the newest save, and for the disk.
    fn settle(&mut self) -> Result<()> {
        disk::remove(&self.dir.join("plain"))?;
        let paging = tidegate_client::Paging { limit: Some(1000), page: None };
        wait::until("digests to be made and old steps to be gone", PATIENCE, || {
            let found = self.runtime.block_on(self.client.checkpoints(RUN, &paging));
            let items = match found {
                Ok(page) => page.items,
                // Before the first save there is no run.
                Err(error) if error.code() == Some("TG0005") => return Ok(Some(())),
                Err(error) => return Err(error.into()),
            };
            if !items.iter().all(|it| it.shards.iter().all(|shard| shard.sealed)) {
                return Ok(None);
            }
            for old in items.iter().skip(1) {
                self.prune(old)?;
            }
            // The record goes first, the bytes after it.
            let trash = self.dir.join("host/tier/trash");
            let deleted = fs::read_dir(&trash)?.next().is_none();
            Ok((items.len() == 1 && deleted).then_some(()))
        })?;
        disk::quiet(&self.dir)
    }

    fn prune(&self, old: &Checkpoint) -> Result<()> {
        let request = PruneRequest { tier: Tier::Nvme, reason: "the next one is measured".into(), dry_run: false };
        match self.runtime.block_on(self.client.prune(RUN, old.step, &request)) {
            Ok(_) => Ok(()),
            // It is on its way already, or gone.
            Err(error) if matches!(error.code(), Some("TG0023" | "TG0006")) => Ok(()),
            Err(error) => bail!("step {} can't be deleted: {error}", old.step),
        }
    }
}

fn stall(started: Instant, begun: Instant, written: Instant, ended: Instant) -> Stall {
    let seconds = |from: Instant, to: Instant| (to - from).as_secs_f64();
    Stall { begin: seconds(started, begun), write: seconds(begun, written), commit: seconds(written, ended) }
}

fn figure(case: &Case, ours: &[Stall], plain: &[Stall]) -> Figure {
    let of = |stalls: &[Stall], part: fn(&Stall) -> f64| Spread::of(stalls.iter().map(part));
    let (all, all_plain) = (of(ours, Stall::total), of(plain, Stall::total));
    let stages = |stalls: &[Stall]| {
        let at = |part: fn(&Stall) -> f64| of(stalls, part).median * 1e3;
        format!("begin {:.2}, write {:.1}, commit {:.1}", at(|s| s.begin), at(|s| s.write), at(|s| s.commit))
    };
    // Pair by pair too: the disk's mood is the same for both of a pair.
    let pairs = Spread::of(ours.iter().zip(plain).map(|(ours, plain)| ours.total() / plain.total()));
    Figure {
        name: case.name.into(),
        value: all.median / all_plain.median,
        unit: "x",
        peer: "plain write + fsync",
        peer_value: 1.0,
        ratio: all_plain.median / all.median,
        note: format!(
            "ms: Tidegate {} = {}; plain {} = {}; of pairs {}; before each, digests were finished and the disk synced",
            spread(&all, 1e3),
            stages(ours),
            spread(&all_plain, 1e3),
            stages(plain),
            spread(&pairs, 1.0)
        ),
    }
}
