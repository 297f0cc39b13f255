//! The families, in one list: what is written, and what METRICS.md says of it.

use tidegate_core::Mode;
use tidegate_engine::{BotFigures, Figures, Standing};

use super::write::{Family, Kind, Read, Unit, Value};
use crate::resource::name_of;

/// All families. The names lack `tidegate_`, the unit and `_total`, which follow from the rest.
#[rustfmt::skip]
pub(super) const FAMILIES: &[Family] = &[
    Family { name: "host", kind: Kind::Info, unit: None, labels: &["host", "version"],
        help: "The host and its version; always 1",
        read: Read::Labelled(|it, out| out.info(&[it.host.as_str(), env!("CARGO_PKG_VERSION")])) },
    Family { name: "journal_place", kind: Kind::Gauge, unit: None, labels: &[],
        help: "The last place in the journal of facts",
        read: Read::Host(|it| it.journal.into()) },
    Family { name: "saves", kind: Kind::Gauge, unit: None, labels: &[],
        help: "Saves in progress",
        read: Read::Host(|it| it.saves.into()) },
    Family { name: "tier_free", kind: Kind::Gauge, unit: Some(Unit::Bytes), labels: &[],
        help: "Bytes free on the file system of the NVMe tier",
        read: Read::Host(|it| it.tier_free.into()) },
    Family { name: "tier_size", kind: Kind::Gauge, unit: Some(Unit::Bytes), labels: &[],
        help: "Bytes of the file system of the NVMe tier",
        read: Read::Host(|it| it.tier_size.into()) },
    Family { name: "jobs", kind: Kind::Gauge, unit: None, labels: &["state"],
        help: "Jobs that have not ended: `queued` or `running`",
        read: Read::Labelled(|it, out| {
            out.write(&["queued"], it.jobs.queued)?;
            out.write(&["running"], it.jobs.running)
        }) },
    Family { name: "jobs_ended", kind: Kind::Counter, unit: None, labels: &["state"],
        help: "Jobs that have ended since the host started: `done`, `failed` or `cancelled`",
        read: Read::Labelled(|it, out| {
            out.write(&["done"], it.jobs.done)?;
            out.write(&["failed"], it.jobs.failed)?;
            out.write(&["cancelled"], it.jobs.cancelled)
        }) },
    Family { name: "target_sent", kind: Kind::Counter, unit: Some(Unit::Bytes), labels: &[],
        help: "Bytes of uploads to the object target, those of tries that failed too",
        read: Read::Host(|it| it.target.upload.granted.into()) },
    Family { name: "target_received", kind: Kind::Counter, unit: Some(Unit::Bytes), labels: &[],
        help: "Bytes of answers from the object target",
        read: Read::Host(|it| it.target.download.granted.into()) },
    Family { name: "target_requests", kind: Kind::Counter, unit: None, labels: &[],
        help: "Requests to the object target, tries that failed too",
        read: Read::Host(|it| it.target.requests.granted.into()) },
    Family { name: "target_throttled", kind: Kind::Counter, unit: None, labels: &[],
        help: "Answers of the object target that say that it gets too many requests: 503 and 429",
        read: Read::Host(|it| it.target.throttled.into()) },
    Family { name: "target_in_flight", kind: Kind::Gauge, unit: None, labels: &[],
        help: "Requests to the object target that are on the way",
        read: Read::Host(|it| (it.target.in_flight as u64).into()) },
    Family { name: "target_in_flight_limit", kind: Kind::Gauge, unit: None, labels: &[],
        help: "How many may be: halved when the target is overrun, raised while it answers",
        read: Read::Host(|it| (it.target.limit as u64).into()) },
    Family { name: "target_waited", kind: Kind::Counter, unit: Some(Unit::Seconds), labels: &["for"],
        help: "Seconds that transfers have waited for the bounds on `upload`, `download` and `requests`, all together",
        read: Read::Labelled(|it, out| {
            let target = &it.target;
            let waits = [("upload", target.upload), ("download", target.download), ("requests", target.requests)];
            waits.iter().try_for_each(|(name, it)| out.write(&[name], Value::Number(it.waited.as_secs_f64())))
        }) },
    Family { name: "bot", kind: Kind::Info, unit: None, labels: &["bot", "plugin", "mode"],
        help: "An installed bot, the digest of its component, and `enforce`, `canary` or `shadow`; always 1",
        read: Read::Labelled(|it, out| {
            it.bots.iter().try_for_each(|bot| out.info(&[bot.name.as_str(), &bot.plugin.to_string(), mode(bot.mode)]))
        }) },
    Family { name: "bot_status", kind: Kind::Gauge, unit: None, labels: &["bot", "status"],
        help: "1 for what the bot is, 0 for the others: `running`, `quarantined`, `stopped` (could not be put to work)",
        read: Read::Labelled(status) },
    Family { name: "bot_lag_events", kind: Kind::Gauge, unit: None, labels: &["bot"],
        help: "Events of the journal that wait for the bot",
        read: Read::Bots(|bot| bot.lag.into()) },
    Family { name: "bot_parked_events", kind: Kind::Gauge, unit: None, labels: &["bot"],
        help: "Events that the bot could not handle, parked for an operator",
        read: Read::Bots(|bot| bot.parked.into()) },
    Family { name: "bot_state", kind: Kind::Gauge, unit: Some(Unit::Bytes), labels: &["bot"],
        help: "Bytes of the bot's state, keys and values",
        read: Read::Bots(|bot| bot.state_bytes.into()) },
    Family { name: "bot_events_handled", kind: Kind::Counter, unit: None, labels: &["bot"],
        help: "Events that the bot's handler ended well on",
        read: Read::Bots(|bot| bot.ledger.handled.into()) },
    Family { name: "bot_faults", kind: Kind::Counter, unit: None, labels: &["bot"],
        help: "Handlers that failed: traps, errors, budgets used up",
        read: Read::Bots(|bot| bot.ledger.faults.into()) },
    Family { name: "bot_fuel", kind: Kind::Counter, unit: None, labels: &["bot"],
        help: "WebAssembly instructions, about; 0 where they are not counted",
        read: Read::Bots(|bot| bot.ledger.fuel.into()) },
    Family { name: "bot_wall", kind: Kind::Counter, unit: Some(Unit::Seconds), labels: &["bot"],
        help: "Seconds in handlers, their host calls included",
        read: Read::Bots(|bot| Value::Number(bot.ledger.wall.as_secs_f64())) },
    Family { name: "bot_memory_peak", kind: Kind::Gauge, unit: Some(Unit::Bytes), labels: &["bot"],
        help: "The most bytes of memories and tables in one event",
        read: Read::Bots(|bot| bot.ledger.memory_peak.into()) },
    Family { name: "bot_host_calls", kind: Kind::Counter, unit: None, labels: &["bot"],
        help: "Calls of the host, log lines apart",
        read: Read::Bots(|bot| bot.ledger.host_calls.into()) },
    Family { name: "bot_host_call", kind: Kind::Counter, unit: Some(Unit::Bytes), labels: &["bot"],
        help: "Bytes of strings and lists handed over in host calls",
        read: Read::Bots(|bot| bot.ledger.host_bytes.into()) },
    Family { name: "bot_log_lines", kind: Kind::Counter, unit: None, labels: &["bot"],
        help: "Log lines that were kept",
        read: Read::Bots(|bot| bot.ledger.log_lines.into()) },
    Family { name: "bot_log_lines_dropped", kind: Kind::Counter, unit: None, labels: &["bot"],
        help: "Log lines beyond the bot's rate",
        read: Read::Bots(|bot| bot.ledger.log_dropped.into()) },
    Family { name: "bot_effects", kind: Kind::Counter, unit: None, labels: &["bot", "verb"],
        help: "Effects that are carried out; a verb is there from its first effect on",
        read: Read::Labelled(|it, out| out.parts(it, |bot, write| {
            bot.ledger.effects.iter().try_for_each(|(verb, it)| write(&name_of(verb), it.count.into()))
        })) },
    Family { name: "bot_effect", kind: Kind::Counter, unit: Some(Unit::Bytes), labels: &["bot", "verb"],
        help: "Bytes of the checkpoints that they concern: shipped by copies, freed by prunes",
        read: Read::Labelled(|it, out| out.parts(it, |bot, write| {
            bot.ledger.effects.iter().try_for_each(|(verb, it)| write(&name_of(verb), it.bytes.into()))
        })) },
    Family { name: "bot_effects_shadowed", kind: Kind::Counter, unit: None, labels: &["bot"],
        help: "Effects that were only recorded, in `shadow` and `canary`",
        read: Read::Bots(|bot| bot.ledger.shadowed.into()) },
    Family { name: "bot_effects_refused", kind: Kind::Counter, unit: None, labels: &["bot", "why"],
        help: "Effects that were refused; `why` is the contract's word, from its first refusal on",
        read: Read::Labelled(|it, out| out.parts(it, |bot, write| {
            bot.ledger.refused.iter().try_for_each(|(why, count)| write(&name_of(why), (*count).into()))
        })) },
    Family { name: "bot_metric", kind: Kind::Untyped, unit: None, labels: &["bot", "metric"],
        help: "The bot's own numbers, by the names that it gave them: at most 32",
        read: Read::Labelled(|it, out| out.parts(it, |bot, write| {
            bot.metrics.iter().try_for_each(|(name, number)| write(name, Value::Number(*number)))
        })) },
];

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "enforce",
        Mode::Canary { .. } => "canary",
        Mode::Shadow => "shadow",
    }
}

fn status(figures: &Figures, out: &mut super::write::Out<'_, '_>) -> std::fmt::Result {
    out.parts(figures, |bot: &BotFigures, write| {
        Standing::ALL.into_iter().try_for_each(|it| write(it.name(), u64::from(it == bot.standing).into()))
    })
}
