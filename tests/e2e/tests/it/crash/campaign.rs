//! The rounds: load, kill, restart, check.
#![allow(clippy::disallowed_methods, reason = "the tally says where the time went; nothing is decided by it")]

use std::{
    fmt, fs,
    path::PathBuf,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use tempfile::TempDir;
use tidegate_client::api::Event;
use tidegate_tests_support::host::{self, TidegateProcess};

use super::{
    bucket::Bucket,
    check::{self, Checked},
    history::History,
    mischief,
    operator::Operator,
    shared::Shared,
    watcher,
    writer::{WORLD_SIZE, Writer},
};
use crate::ask::Ask;

/// Names of runs, one with all the characters that a name may have.
const RUNS: [&str; 3] = ["gpt", "llama-2.7b_B", "vit"];

/// Where copies go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    /// A directory.
    Directory,
    /// An S3 server, which is killed as well.
    SeaweedFs,
}

/// One directory, from its first round to its last.
pub(super) struct Campaign {
    seed: u64,
    rng: Rng,
    dir: TempDir,
    host: TidegateProcess,
    bucket: Bucket,
    shared: Shared,
    history: History,
    tally: Tally,
}

/// What the campaign did.
#[derive(Default)]
struct Tally {
    kills: u64,
    kills_of_starts: u64,
    kills_of_servers: u64,
    damages: u64,
    /// What the starts put right: saves, strays, missing shards, shards to seal.
    recovered: [u64; 4],
    phases: [Duration; 3],
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, kills_of_starts, kills_of_servers, damages, recovered, phases } = self;
        let [saves, strays, missing, unsealed] = recovered;
        write!(
            f,
            "{kills} kills under load, {kills_of_starts} of a start, {kills_of_servers} of the S3 server, {damages} shards \
             damaged; put right: {saves} saves, {strays} strays, {missing} missing, {unsealed} unsealed; starting, load and \
             checks took {phases:.0?}"
        )
    }
}

impl Campaign {
    pub(super) fn new(setting: Setting, seed: u64) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let home = dir.path().join("host");
        let bucket = match setting {
            Setting::Directory => Bucket::Directory(home.join("object")),
            Setting::SeaweedFs => Bucket::seaweed()?,
        };
        fs::create_dir(dir.path().join("scratch"))?;
        let host = bucket.options(host::Options::dev(&home)).start()?;
        let (rng, shared, history, tally) =
            (Rng::with_seed(seed), Shared::default(), History::default(), Tally::default());
        Ok(Self { seed, rng, dir, host, bucket, shared, history, tally })
    }

    /// All rounds. After a failure the directory stays.
    pub(super) fn run(mut self, rounds: u64) -> Result<()> {
        for round in 1..=rounds {
            if let Err(error) =
                self.round().with_context(|| format!("round {round} of TIDEGATE_TEST_SEED={}", self.seed))
            {
                return Err(self.keep(error));
            }
        }
        if let Err(error) =
            self.end().with_context(|| format!("after {rounds} rounds of TIDEGATE_TEST_SEED={}", self.seed))
        {
            return Err(self.keep(error));
        }
        Ok(())
    }

    fn keep(mut self, error: anyhow::Error) -> anyhow::Error {
        let _ = self.host.kill9();
        println!("{}", self.tally);
        self.dir.disable_cleanup(true);
        error.context(format!("all is kept in {}", self.dir.path().display()))
    }

    fn tier(&self) -> PathBuf {
        self.host.dir().join("tier")
    }

    fn scratch(&self) -> PathBuf {
        self.dir.path().join("scratch")
    }

    fn round(&mut self) -> Result<()> {
        let started = Instant::now();
        let seen = self.load_and_kill()?;
        self.tally.phases[1] += started.elapsed();

        let started = Instant::now();
        let damage = match self.rng.u32(..100) {
            0..12 => mischief::damage(&self.tier(), &self.history, &mut self.shared.ledger(), &mut self.rng)?,
            _ => None,
        };
        self.tally.damages += u64::from(damage.is_some());
        self.kill_some_starts()?;
        let away = self.kill_server();
        self.host.restart()?;
        check::nothing_is_left_over(&self.tier())?;
        self.note_recovered()?;
        if away {
            self.bucket.server().expect("it was killed").restart()?;
        }
        self.tally.phases[0] += started.elapsed();

        let started = Instant::now();
        self.check(|checked| checked.all(&seen, damage.as_ref()))?;
        fs::remove_dir_all(self.scratch())?;
        fs::create_dir(self.scratch())?;
        self.tally.phases[2] += started.elapsed();
        Ok(())
    }

    fn check(&mut self, check: impl FnOnce(&mut Checked<'_>) -> Result<()>) -> Result<()> {
        let socket = self.host.socket();
        let (tier, scratch) = (self.tier(), self.scratch());
        let ask = Ask::new(&socket)?;
        let (ledger, history) = (self.shared.ledger_mutex(), &mut self.history);
        check(&mut Checked { ask: &ask, socket: &socket, tier: &tier, scratch: &scratch, ledger, history })
    }

    /// Trainers, bots, an operator and a reader at work; SIGKILL in the middle of it. Returns the events that were seen.
    fn load_and_kill(&mut self) -> Result<Vec<Event>> {
        self.shared.begin();
        let (socket, scratch) = (self.host.socket(), self.scratch());
        let (shared, after) = (&self.shared, self.history.head());
        let seen = Mutex::new(Vec::new());
        // Sometimes within the first save, mostly in the thick of it.
        let moment = match self.rng.u32(..10) {
            0..2 => self.rng.u64(..60),
            2..8 => self.rng.u64(60..500),
            _ => self.rng.u64(500..1500),
        };
        let with_server = self.rng.u32(..4) == 0;
        let (rng, host, bucket) = (&mut self.rng, &mut self.host, &mut self.bucket);
        let tally = &mut self.tally;
        let killed = thread::scope(|scope| -> Result<()> {
            for run in RUNS {
                let first = {
                    let ledger = shared.ledger();
                    // A trainer that resumes repeats what was not complete, or leaves it behind.
                    if rng.bool() { ledger.newest_complete(run) + 1 } else { ledger.last_step(run) + 1 }
                };
                let steps = first..first + rng.u64(2..8);
                for rank in 0..WORLD_SIZE {
                    let steps = steps.clone();
                    let (writer, socket) = (Writer { shared, run, rank, rng: rng.fork() }, socket.clone());
                    scope.spawn(move || shared.run(&format!("{run}.{rank}"), || writer.save_all(&socket, steps)));
                }
            }
            let (runs, scratch) = (&RUNS, &scratch);
            let operator = Operator { shared, runs, scratch, rng: rng.fork() };
            let (for_operator, for_watcher, seen) = (socket.clone(), socket.clone(), &seen);
            scope.spawn(move || shared.run("the operator", || operator.work(&for_operator)));
            scope.spawn(move || shared.run("the watcher", || watcher::watch(shared, &for_watcher, after, seen)));
            // The moment is the experiment.
            thread::sleep(Duration::from_millis(moment));
            shared.kill();
            if with_server && let Some(server) = bucket.server() {
                server.kill9();
                tally.kills_of_servers += 1;
            }
            tally.kills += 1;
            host.kill9()
        });
        killed?;
        if let Some(server) = self.bucket.server().filter(|_| with_server) {
            server.restart()?;
        }
        match self.shared.troubles() {
            troubles if troubles.is_empty() => Ok(seen.into_inner().expect("no thread fails")),
            troubles => bail!("{}", troubles.join("; ")),
        }
    }

    /// A host that is killed while it puts things right must put them right the next time.
    fn kill_some_starts(&mut self) -> Result<()> {
        while self.rng.u32(..4) == 0 {
            self.host.launch()?;
            // The tier is opened first; then the bots are compiled, which takes longer.
            let moment = if self.rng.bool() { self.rng.u64(..80) } else { self.rng.u64(80..1500) };
            thread::sleep(Duration::from_millis(moment));
            self.host.kill9()?;
            self.tally.kills_of_starts += 1;
        }
        Ok(())
    }

    /// Sometimes object storage is away when the host starts.
    fn kill_server(&mut self) -> bool {
        let away = self.rng.u32(..8) == 0;
        let Some(server) = self.bucket.server().filter(|_| away) else { return false };
        server.kill9();
        self.tally.kills_of_servers += 1;
        true
    }

    /// What the host says that it put right.
    fn note_recovered(&mut self) -> Result<()> {
        let log = fs::read_to_string(self.host.log())?;
        let line = log.lines().rfind(|line| line.contains("recovered=Recovered")).context("no word on the recovery")?;
        let words: Vec<&str> = line.split([' ', ',', '{', '}']).filter(|word| !word.is_empty()).collect();
        let number = |name: &str| -> Result<u64> {
            let at = words.iter().position(|word| word.strip_suffix(':') == Some(name)).context("a word is missing")?;
            Ok(words.get(at + 1).context("a number is missing")?.parse()?)
        };
        for (sum, name) in self.tally.recovered.iter_mut().zip(["saves", "strays", "missing", "unsealed"]) {
            *sum += number(name).with_context(|| format!("{name} in {line}"))?;
        }
        ensure!(number("rebuilt")? == 0, "a kill made the index a new one: {line}");
        Ok(())
    }

    /// When all is quiet, object storage holds what the journal says and nothing else.
    fn end(&mut self) -> Result<()> {
        self.check(|checked| {
            checked.idle()?;
            checked.told_is_what_the_journal_says()?;
            checked.index_and_tier_agree()
        })?;
        let scarred = self.shared.ledger().scarred.clone();
        let left = self.bucket.check(&self.history, |name| scarred.contains(name))?;
        let ledger = self.shared.ledger();
        let (lost, there) = ledger.unanswered;
        println!("{}", self.tally);
        println!(
            "{} commits were answered; of those that were not, {there} were there and {lost} were not; {} saves were cut \
             short; {} restores of {} MiB were exact; {} events; pruned {:?}; {left}",
            ledger.acknowledged,
            ledger.unfinished,
            ledger.restored.0,
            ledger.restored.1 >> 20,
            self.history.head(),
            self.history.pruned,
        );
        Ok(())
    }
}
