//! Facts through the journal and a bot, everything synced: many append at once, one bot handles each event in a fresh
//! instance and writes its state, and the clock stops when its cursor has passed the last.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tidegate_core::{Clock, EventKind, Grants, SystemClock, Triggers};
use tidegate_engine::{BotSpec, Host, Options};
use tidegate_replica::Target;
use tidegate_sandbox::Sandbox;
use tidegate_store::{Store, Tx};
use tidegate_tests_support::stats::Spread;

use crate::{
    Args, disk,
    figure::{Figure, spread},
};

/// Who appends at once.
const APPENDERS: u64 = 64;
/// Events of one round, and of one round of a single appender.
const EVENTS: u64 = 64_000;
const ALONE: u64 = 2_000;

pub(crate) fn measure(args: &Args) -> Result<Vec<Figure>> {
    let dir = args.dir.join("durable_events");
    disk::remove(&dir)?;
    // As the host runs: two workers by default.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let figure = runtime.block_on(rounds(args, &dir));
    drop(runtime);
    disk::remove(&dir)?;
    Ok(vec![figure?])
}

async fn rounds(args: &Args, dir: &Path) -> Result<Figure> {
    let (host, store) = start(args, dir).await?;
    let (mut many, mut alone) = (Vec::new(), Vec::new());
    let mut appended = Vec::new();
    for round in 0..=args.rounds.unwrap_or(5) {
        let (rate, append_rate) = one_round(&host, &store, APPENDERS, EVENTS).await?;
        let (single, _) = one_round(&host, &store, 1, ALONE).await?;
        if round > 0 {
            many.push(rate);
            appended.push(append_rate);
            alone.push(single);
        }
    }
    let faults: u64 = host.bots().await?.iter().map(|bot| bot.ledger.faults).sum();
    ensure!(faults == 0, "the bot failed {faults} times");
    host.drain().await;
    let (many, alone, appended) = (Spread::of(many), Spread::of(alone), Spread::of(appended));
    Ok(Figure {
        name: "durable_events".into(),
        value: many.median,
        unit: "1/s",
        peer: "one appender, so one sync an event",
        peer_value: alone.median,
        ratio: many.median / alone.median,
        note: format!(
            "{APPENDERS} appenders, each waits for its sync; one bot reads and writes its state for each of {EVENTS} \
             events, synced in groups; until its cursor is at the end: {}; until the last append: {}",
            spread(&many, 1.0),
            spread(&appended, 1.0)
        ),
    })
}

pub(crate) async fn start(args: &Args, dir: &Path) -> Result<(Host, Arc<Store>)> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let mut options = tidegate_store::Options::new(dir.join("tier"), "bench".parse()?);
    options.wanted_copies = 1;
    let at = clock.clone();
    let (store, _) = tokio::task::spawn_blocking(move || Store::open(options, at)).await??;
    let store = Arc::new(store);
    let target = Target::open("default".parse()?, "memory://", tidegate_replica::Options::default())?;
    let sandbox = Sandbox::new(tidegate_sandbox::Options::default())?;
    let options = Options {
        name: "bench".parse()?,
        plugins: dir.join("plugins"),
        wanted_copies: 1,
        private: Vec::new(),
        uploads: 2,
        deltas: 16,
        drain: Duration::from_secs(20),
    };
    let host = Host::start(options, clock, store.clone(), Arc::new(target), sandbox).await?;
    let component = std::fs::read(&args.bot).with_context(|| format!("read {}", args.bot.display()))?;
    let plugin = host.add_plugin(component.into()).await?.digest;
    let grants = Grants { read: vec![tidegate_core::Glob("*".into())], ..Grants::default() };
    let triggers = Triggers { events: ["shard-committed".to_owned()].into(), ..Triggers::default() };
    let spec = BotSpec { plugin, settings: serde_json::json!({}), grants, triggers, mode: Default::default() };
    host.install("counter".parse()?, spec, Default::default()).await?;
    Ok((host, store))
}

/// Events a second, until the bot has handled the last one and until the last one was appended.
async fn one_round(host: &Host, store: &Arc<Store>, appenders: u64, events: u64) -> Result<(f64, f64)> {
    let name = "counter".parse()?;
    // The event of its installation, or the last one of the round before.
    caught_up(host, store).await?;
    let before = host.bot(&name).await?.ledger.handled;
    let started = Instant::now();
    let tasks: Vec<_> = (0..appenders)
        .map(|nth| {
            let store = store.clone();
            tokio::spawn(async move {
                for step in 0..events / appenders {
                    let fact = fact(nth, step)?;
                    store.index().write_async(move |tx: &mut Tx<'_>| tx.append(fact)).await?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    let appended = started.elapsed().as_secs_f64();
    caught_up(host, store).await?;
    let took = started.elapsed().as_secs_f64();
    let events = events / appenders * appenders;
    ensure!(host.bot(&name).await?.ledger.handled - before == events, "the bot has not handled every event once");
    Ok((events as f64 / took, events as f64 / appended))
}

/// Waits until the bot's cursor is at the end of the journal.
async fn caught_up(host: &Host, store: &Store) -> Result<()> {
    let (name, last) = ("counter".parse()?, *store.index().head().borrow());
    let deadline = Instant::now() + Duration::from_secs(120);
    while host.bot(&name).await?.cursor < last {
        ensure!(Instant::now() < deadline, "the bot does not get to the end");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

fn fact(rank: u64, step: u64) -> Result<EventKind> {
    Ok(EventKind::ShardCommitted {
        run: "bench".parse()?,
        step: step.try_into()?,
        rank: rank.try_into()?,
        world_size: 64.try_into()?,
        bytes: 1 << 30,
        files: 16,
    })
}
