//! What bots cost the host: an event, a host call, a bot that waits, one that spins, and what its neighbours feel of it. The
//! sandbox's own example measures most of it beside bare wasmtime; here it is repeated.

use std::{collections::BTreeMap, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use tidegate_tests_support::stats::Spread;

use crate::{
    Args, disk, durable,
    figure::{Figure, spread},
};

/// Bots that wait at once.
const IDLE: u64 = 1_000;

/// What the example printed, over all rounds.
struct Seen(BTreeMap<String, Vec<f64>>);

impl Seen {
    fn take(args: &Args) -> Result<Self> {
        let mut seen = BTreeMap::<String, Vec<f64>>::new();
        for _ in 0..args.rounds.unwrap_or(5) {
            let output = Command::new(&args.cold).arg("--json").env("TIDEGATE_PLUGINS", &args.plugins).output()?;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            ensure!(output.status.success(), "{} ended with {}: {said}", args.cold.display(), output.status);
            let figures: BTreeMap<String, f64> = serde_json::from_slice(&output.stdout).context("its figures")?;
            figures.into_iter().for_each(|(name, value)| seen.entry(name).or_default().push(value));
        }
        Ok(Self(seen))
    }

    fn of(&self, name: &str) -> Result<Spread> {
        Ok(Spread::of(self.0.get(name).with_context(|| format!("the example prints no {name}"))?.clone()))
    }

    fn note(&self, name: &str) -> Result<String> {
        Ok(spread(&self.of(name)?, 1.0))
    }
}

pub(crate) fn measure(args: &Args) -> Result<Vec<Figure>> {
    let seen = Seen::take(args)?;
    let ratio = |a: &Spread, b: &Spread| a.median / b.median;
    let (cold, same) = (seen.of("cold_event")?, seen.of("bare_same")?);
    let (warm, bare) = (seen.of("warm_call")?, seen.of("bare_call")?);
    let (late, tick) = (seen.of("stop_delay_most")?, seen.of("tick")?);
    let (alone, beside) = (seen.of("alone_p99")?, seen.of("beside_p99")?);
    let (idle, note) = idle_bots(args)?;
    Ok(vec![
        Figure {
            name: "sandbox_cold_event".into(),
            value: cold.median,
            unit: "us",
            peer: "bare wasmtime, the same component instantiated and its `configure` called",
            peer_value: same.median,
            ratio: ratio(&same, &cold),
            note: format!(
                "plugin `replicate`: fresh store and instance, one event in, one effect out; medians of 20000: {}; p99 {}; \
                 without fuel {}; the peer {}; bare wasmtime with the smallest component {}",
                seen.note("cold_event")?,
                seen.note("cold_event_p99")?,
                seen.note("cold_event_without_fuel")?,
                seen.note("bare_same")?,
                seen.note("bare_wasmtime")?
            ),
        },
        Figure {
            name: "sandbox_warm_call".into(),
            value: warm.median,
            unit: "ns",
            peer: "bare wasmtime, a host function that does the same",
            peer_value: bare.median,
            ratio: ratio(&bare, &warm),
            note: format!(
                "one `clock.now` from a running guest: {}; the peer {}; a million turns of a loop in the guest with fuel \
                 counted {} us, without {} us",
                seen.note("warm_call")?,
                seen.note("bare_call")?,
                seen.note("computing")?,
                seen.note("computing_without_fuel")?
            ),
        },
        Figure {
            name: "sandbox_idle_bot_bytes".into(),
            value: idle,
            unit: "bytes",
            peer: "the aim: 20 KiB",
            peer_value: 20_480.0,
            ratio: 20_480.0 / idle,
            note,
        },
        Figure {
            name: "sandbox_stop_delay".into(),
            value: late.median,
            unit: "ms",
            peer: "one tick",
            peer_value: tick.median,
            ratio: tick.median / late.median,
            note: format!(
                "the latest of 60 spinning bots after its deadline of 50 ms: {}; the median one {}",
                seen.note("stop_delay_most")?,
                seen.note("stop_delay")?
            ),
        },
        Figure {
            name: "sandbox_neighbour_p99".into(),
            value: ratio(&alone, &beside),
            unit: "ratio",
            peer: "no hostile bot",
            peer_value: 1.0,
            ratio: ratio(&alone, &beside),
            note: format!(
                "p99 of a bot's event with nobody beside it {} us, with a bot that spins until it is stopped, again and again \
                 {} us; medians {} and {} us",
                seen.note("alone_p99")?,
                seen.note("beside_p99")?,
                seen.note("alone")?,
                seen.note("beside")?
            ),
        },
        Figure {
            name: "sandbox_compile".into(),
            value: seen.of("compiling")?.median,
            unit: "ms",
            peer: "the same from the cache of compiled components",
            peer_value: seen.of("cached")?.median,
            ratio: ratio(&seen.of("cached")?, &seen.of("compiling")?),
            note: format!("`replicate`, compiled: {}; cached: {}", seen.note("compiling")?, seen.note("cached")?),
        },
    ])
}

/// Bytes that one more bot costs a host while nothing happens, and how that was measured.
fn idle_bots(args: &Args) -> Result<(f64, String)> {
    let dir = args.dir.join("idle_bots");
    disk::remove(&dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let measured = runtime.block_on(async {
        let (host, store) = durable::start(args, &dir).await?;
        let spec = host.bot(&"counter".parse()?).await?.spec;
        // What one bot after the other needs once, such as threads, is there before it is counted.
        install(&host, "warm", 20, &spec).await?;
        let before = settled().await?;
        install(&host, "idle", IDLE, &spec).await?;
        let after = settled().await?;
        host.drain().await;
        drop(store);
        anyhow::Ok((before, after))
    });
    drop(runtime);
    disk::remove(&dir)?;
    let (before, after) = measured?;
    let each = after.saturating_sub(before) as f64 / IDLE as f64;
    let note = format!(
        "resident memory of a host with {IDLE} more bots of one component, each installed, told of its start and waiting: \
         {before} bytes before, {after} after; with what the index keeps of them in memory"
    );
    Ok((each.max(1.0), note))
}

async fn install(host: &tidegate_engine::Host, name: &str, bots: u64, spec: &tidegate_engine::BotSpec) -> Result<()> {
    for nth in 0..bots {
        host.install(format!("{name}-{nth}").parse()?, spec.clone(), Default::default()).await?;
    }
    loop {
        if host.bots().await?.iter().all(|bot| bot.lag == 0) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Resident memory once the threads that have nothing to do any more have ended.
async fn settled() -> Result<u64> {
    tokio::time::sleep(Duration::from_secs(12)).await;
    resident()
}

/// Resident memory of this process.
fn resident() -> Result<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split(' ').nth(1).context("/proc/self/statm")?.parse()?;
    Ok(pages * rustix::param::page_size() as u64)
}
