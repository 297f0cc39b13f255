use std::{any::Any, collections::BTreeMap, path::PathBuf, time::Duration};

use serde::Serialize;
use serde_json::Value;
use tidegate_core::{
    BotName, Checkpoint, Effect, EffectId, Event, EventKind, JobState, Refusal, RunName, Shard, Step, Tier, Timestamp,
    Verdict, limits,
};
use tidegate_sandbox::{Calls, MetricChange, Options, Sandbox, Usage};

use crate::{
    command::input,
    exit::Failure,
    show::{Out, Table, bytes},
};

/// Measure a plugin: fuel and time for each kind of event, over a catalogue that is made up
///
/// Each event is handled in a fresh instance, as a host does; the catalogue has one run with as many checkpoints as you say,
/// every effect is accepted, and the state is kept from round to round. Fuel is the same on every machine, time is not:
/// give the first as a budget to a CI.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The component: a .wasm file
    file: PathBuf,
    /// Its settings, as JSON, or @FILE
    #[arg(long, value_name = "JSON", value_parser = input::json, default_value = "{}")]
    settings: Value,
    /// Checkpoints of the made-up run
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    checkpoints: u64,
    /// Rounds of each kind of event
    #[arg(long, value_name = "COUNT", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rounds: u32,
    /// Fail if an event takes more fuel
    #[arg(long, value_name = "FUEL")]
    max_fuel: Option<u64>,
    /// Fail if the median of an event takes longer
    #[arg(long, value_name = "MICROSECONDS")]
    max_micros: Option<f64>,
}

/// What one kind of event costs.
#[derive(Debug, Serialize)]
struct Cost {
    kind: &'static str,
    fuel: u64,
    median_micros: f64,
    p99_micros: f64,
    host_calls: u32,
    memory_bytes: u64,
    effects: u32,
    /// How the handler failed, if it did.
    fault: Option<String>,
    /// Which budgets it breaks.
    over: Vec<String>,
}

pub(crate) fn run(args: &Args, out: Out) -> Result<(), Failure> {
    let component = input::file(&args.file, limits::COMPONENT_BYTES)?;
    let sandbox = Sandbox::new(Options { instances: 1, ..Options::default() }).map_err(anyhow::Error::from)?;
    let refused = |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", args.file.display()));
    let plugin = sandbox.load(&component).map_err(|error| refused(&error))?;
    let settings = args.settings.to_string();
    plugin.configure(&settings).map_err(|fault| refused(&fault))?;
    let mut costs = Vec::new();
    for kind in kinds(args.checkpoints).map_err(anyhow::Error::msg)? {
        let mut cluster = Box::new(Cluster::new(args.checkpoints).map_err(anyhow::Error::msg)?);
        let (mut usages, mut fault) = (Vec::new(), None);
        for nth in 0..args.rounds {
            let host = "bench".parse().map_err(anyhow::Error::from)?;
            let event = Event { seq: u64::from(nth) + 1, time: Timestamp(NOW), host, kind: kind.clone() };
            let handled = plugin.handle(cluster, &event, &settings);
            usages.push(handled.usage);
            fault = fault.or(handled.result.err().map(|fault| fault.to_string()));
            let back = handled.calls.into_any().downcast::<Cluster>();
            cluster = back.map_err(|_| anyhow::anyhow!("the sandbox returned other calls"))?;
        }
        costs.push(Cost::of(kind.name(), &usages, fault, args));
    }
    let over = costs.iter().any(|cost| !cost.over.is_empty() || cost.fault.is_some());
    out.value(&costs, || text(&costs))?;
    if over { Err(anyhow::anyhow!("an event failed or is over its budget").into()) } else { Ok(()) }
}

impl Cost {
    fn of(kind: &'static str, usages: &[Usage], fault: Option<String>, args: &Args) -> Self {
        let mut walls: Vec<Duration> = usages.iter().map(|usage| usage.wall).collect();
        walls.sort_unstable();
        let at =
            |share: usize| walls.get((walls.len() - 1) * share / 100).copied().unwrap_or_default().as_secs_f64() * 1e6;
        let most = |of: fn(&Usage) -> u64| usages.iter().map(of).max().unwrap_or_default();
        let (fuel, median_micros) = (most(|usage| usage.fuel), at(50));
        let last = usages.last().copied().unwrap_or_default();
        let mut over = Vec::new();
        over.extend(args.max_fuel.filter(|most| fuel > *most).map(|most| format!("fuel {fuel}, at most {most}")));
        let late = args.max_micros.filter(|most| median_micros > *most);
        over.extend(late.map(|most| format!("{median_micros:.1} µs, at most {most}")));
        let (host_calls, effects, memory_bytes) = (last.host_calls, last.effects, most(|usage| usage.memory_bytes));
        Self { kind, fuel, median_micros, p99_micros: at(99), host_calls, memory_bytes, effects, fault, over }
    }
}

fn text(costs: &[Cost]) -> String {
    let mut table = Table::new(&["EVENT", "FUEL", "MEDIAN µs", "P99 µs", "CALLS", "EFFECTS", "MEMORY", "VERDICT"]);
    for cost in costs {
        let verdict = match (&cost.fault, cost.over.as_slice()) {
            (Some(fault), _) => format!("failed: {fault}"),
            (None, []) => "ok".to_owned(),
            (None, over) => over.join("; "),
        };
        let [median, p99] = [cost.median_micros, cost.p99_micros].map(|micros| format!("{micros:.1}"));
        let numbers = [cost.fuel.to_string(), median, p99, cost.host_calls.to_string(), cost.effects.to_string()];
        let [fuel, median, p99, calls, effects] = numbers;
        table.row([cost.kind.to_owned(), fuel, median, p99, calls, effects, bytes(cost.memory_bytes), verdict]);
    }
    table.or("nothing")
}

const NOW: u64 = 1_767_225_600_000_000_000;
const RUN: &str = "gpt";

/// One event of each kind that bots are told of, about the newest checkpoint.
fn kinds(newest: u64) -> Result<Vec<EventKind>, String> {
    let run: RunName = RUN.parse().map_err(|error| format!("{error}"))?;
    let step = Step::try_from(newest * 1000).map_err(|error| error.to_string())?;
    let rank = 0_u64.try_into().map_err(|error| format!("{error}"))?;
    let world_size = 1_u64.try_into().map_err(|error| format!("{error}"))?;
    let target = || "default".parse().map_err(|error| format!("{error}"));
    let bot: BotName = "bench".parse().map_err(|error| format!("{error}"))?;
    let plugin = tidegate_core::Digest::of(b"");
    let (again, bytes, reason) = (|| run.clone(), 1 << 30, String::from("why"));
    Ok(vec![
        EventKind::BotStarted { bot: bot.clone(), plugin },
        EventKind::BotWoken { bot, key: RUN.to_owned(), due: Timestamp(NOW), reason: reason.clone() },
        EventKind::ShardCommitted { run: again(), step, rank, world_size, bytes, files: 1 },
        EventKind::CheckpointComplete { run: again(), step, bytes },
        EventKind::CheckpointSealed { run: again(), step },
        EventKind::CheckpointReplicated { run: again(), step, target: target()?, bytes, verified: "size".to_owned() },
        EventKind::CheckpointPruned { run: again(), step, tier: Tier::Nvme, bytes, reason: reason.clone() },
        EventKind::ShardCorrupt { run: again(), step, rank, tier: Tier::Nvme, detail: reason.clone() },
        EventKind::JobFinished {
            effect: EffectId::of_operator(1),
            by: "bench".to_owned(),
            run: again(),
            step,
            ok: true,
            detail: reason,
        },
    ])
}

/// A catalogue of one run, all of it on NVMe, half of it in object storage as well.
struct Cluster {
    run: RunName,
    checkpoints: BTreeMap<Step, Checkpoint>,
    state: BTreeMap<String, Vec<u8>>,
    asked: u128,
}

impl Cluster {
    fn new(count: u64) -> Result<Self, String> {
        let run: RunName = RUN.parse().map_err(|error| format!("{error}"))?;
        let rank = 0_u64.try_into().map_err(|error| format!("{error}"))?;
        let world = 1_u64.try_into().map_err(|error| format!("{error}"))?;
        let mut checkpoints = BTreeMap::new();
        for nth in 1..=count {
            let step = Step::try_from(nth * 1000).map_err(|error| error.to_string())?;
            let mut it = Checkpoint::new(run.clone(), step, world, Timestamp(NOW));
            let mut shard = Shard { rank, bytes: 1 << 30, files: 1, committed: 1, body: None, copies: vec![] };
            shard.add_copy(Tier::Nvme, 1, true);
            if nth % 2 == 0 {
                shard.add_copy(Tier::Object, 1, true);
            }
            it.shards.insert(rank, shard);
            it.complete = Some(1);
            checkpoints.insert(step, it);
        }
        Ok(Self { run, checkpoints, state: BTreeMap::new(), asked: 0 })
    }
}

impl Calls for Cluster {
    fn runs(&mut self, after: Option<RunName>) -> Result<Vec<RunName>, Refusal> {
        Ok(Some(self.run.clone()).filter(|run| after.is_none_or(|after| *run > after)).into_iter().collect())
    }
    fn list(
        &mut self,
        run: RunName,
        before: Option<Step>,
        limit: u32,
    ) -> Result<(Vec<Checkpoint>, Option<Step>), Refusal> {
        let known = self.checkpoints.values().rev().filter(|it| run == self.run && before.is_none_or(|b| it.step < b));
        let mut items: Vec<Checkpoint> = known.take(limit as usize + 1).cloned().collect();
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next = items.last().filter(|_| more).map(|last| last.step);
        Ok((items, next))
    }
    fn get(&mut self, run: RunName, step: Step) -> Result<Option<Checkpoint>, Refusal> {
        Ok(self.checkpoints.get(&step).filter(|_| run == self.run).cloned())
    }
    fn plan_prune(&mut self, _: RunName, steps: Vec<Step>, _: Tier) -> Result<Vec<Verdict>, Refusal> {
        Ok(steps.into_iter().map(|step| Verdict { step, allowed: true, because: "made up".to_owned() }).collect())
    }
    fn effect(&mut self, _: Effect) -> Result<EffectId, Refusal> {
        self.asked += 1;
        Ok(EffectId::of_operator(self.asked))
    }
    fn status(&mut self, _: EffectId) -> Result<Option<JobState>, Refusal> {
        Ok(Some(JobState::Queued))
    }
    fn cancel(&mut self, _: EffectId, _: String) -> Result<(), Refusal> {
        Ok(())
    }
    fn state_get(&mut self, key: &str) -> Result<Option<Vec<u8>>, Refusal> {
        Ok(self.state.get(key).cloned())
    }
    fn state_set(&mut self, key: &str, value: Vec<u8>) -> Result<(), Refusal> {
        self.state.insert(key.to_owned(), value);
        Ok(())
    }
    fn state_delete(&mut self, key: &str) -> Result<(), Refusal> {
        self.state.remove(key);
        Ok(())
    }
    fn state_keys(&mut self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<String>, Refusal> {
        let fits = |key: &&String| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after);
        Ok(self.state.keys().filter(fits).take(limit as usize).cloned().collect())
    }
    fn wake_at(&mut self, _: Timestamp, _: &str, _: String) -> Result<(), Refusal> {
        Ok(())
    }
    fn cancel_wake(&mut self, _: &str) -> Result<(), Refusal> {
        Ok(())
    }
    fn random(&mut self, into: &mut [u8]) -> Result<(), Refusal> {
        into.fill(4);
        Ok(())
    }
    fn metric(&mut self, _: &str, _: MetricChange) -> Result<(), Refusal> {
        Ok(())
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_occurrence_of_the_contract_is_measured() {
        let contract = include_str!("../../../../../wit/types.wit");
        let (_, cases) = contract.split_once("variant occurrence {").unwrap();
        let (cases, _) = cases.split_once("\n  }").unwrap();
        let cases = cases.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
        let told: BTreeSet<&str> = cases.map(|line| line.split(['(', ',']).next().unwrap()).collect();
        let kinds = kinds(100).unwrap();
        // The journal says of what kind of thing it is that it was started or woken.
        let name = |kind: &EventKind| kind.name().strip_prefix("bot-").unwrap_or(kind.name());
        let measured: BTreeSet<&str> = kinds.iter().map(name).collect();
        assert_eq!(measured, told);
        assert!(told.contains("woken") && kinds.len() == told.len(), "{told:?}");
    }
}
