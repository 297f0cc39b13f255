//! A bot's way along the journal.
//!
//! Events are taken in groups. Each is handled in a fresh instance; what the handlers decided goes into the index in one
//! change together with the cursor, so a group costs one sync. A handler that fails ends its group: what came before is
//! written, nothing of the failed event is, and it is tried again with a growing wait. After too many tries the bot goes
//! into quarantine with its cursor before that event, and its events wait for it.

use std::{sync::Arc, time::Duration};

use tidegate_core::{Code, Event, EventKind, retry::Backoff};
use tidegate_sandbox::Fault;
use tidegate_store::{Space, Tx};

use super::{calls::EventCalls, group::Group, record::Record, registry::Running};
use crate::{Error, Host, Result, error::blocking};

/// Events in one group.
const GROUP: usize = 512;
/// Events that do not concern a bot before its cursor is written again. A host that dies passes over them once more.
const PASSED: u64 = 4096;
/// Tries of one event before the quarantine.
const TRIES: u32 = 4;
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(200), cap: Duration::from_secs(10) };

/// How a group ended.
enum Ended {
    /// At the end of the events there were.
    Even,
    /// At an event that the handler failed on, and how.
    Fault(u64, String),
}

/// Works until the bot is stopped.
pub(super) async fn run(host: Host, bot: Arc<Running>) {
    let mut head = host.0.store.index().head();
    let (mut cursor, mut written) = (bot.record.cursor, bot.record.cursor);
    let mut failures = 0;
    loop {
        if head.wait_for(|head| *head > cursor).await.is_err() {
            return;
        }
        let (at_work, handler) = (host.clone(), bot.clone());
        let step = blocking(move || handle_group(&at_work, &handler, cursor, written)).await;
        if let Ok((at, ..)) = &step {
            bot.ledger().cursor = *at;
        }
        match step {
            Ok((at, kept, Ended::Even)) => {
                (cursor, written) = (at, kept);
                failures = 0;
            }
            Ok((at, kept, Ended::Fault(event, fault))) => {
                failures = if at > cursor { 1 } else { failures + 1 };
                (cursor, written) = (at, kept);
                tracing::warn!(bot = %bot.record.name, event, failures, fault, "a bot failed on an event");
                if failures >= TRIES {
                    match quarantine(&host, &bot, cursor, event, fault).await {
                        Ok(()) => return,
                        Err(error) => tracing::error!(%error, "a quarantine could not be written"),
                    }
                }
                let seed = format!("{}\0{cursor}", bot.record.name);
                tokio::time::sleep(BACKOFF.after(failures, seed.as_bytes())).await;
            }
            Err(error) => {
                tracing::error!(bot = %bot.record.name, %error, "a bot's decisions could not be written");
                if error.code == Code::IndexBroken {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// Handles what follows the cursor. Returns the cursor, the cursor that is written, and how it ended.
fn handle_group(host: &Host, bot: &Arc<Running>, cursor: u64, written: u64) -> Result<(u64, u64, Ended)> {
    let view = Arc::new(host.0.store.index().view());
    let events = view.events(cursor, GROUP)?;
    let mut group = Group { cursor, ..Group::default() };
    let mut ended = Ended::Even;
    for event in &events {
        if bot.stop.is_cancelled() {
            break;
        }
        if bot.record.triggers.wakes(&bot.record.name, &bot.record.grants, event) {
            let fault;
            (group, fault) = handle(host, bot, &view, event, group)?;
            if let Some(fault) = fault {
                ended = Ended::Fault(event.seq, fault);
                break;
            }
            group.handled += 1;
        }
        group.cursor = event.seq;
    }
    let at = group.cursor;
    if group.handled == 0 && at - written < PASSED {
        return Ok((at, written, ended));
    }
    let (handled, effects) = (group.handled, group.effects.len() as u64 + group.wakes.len() as u64);
    let wakes = !group.wakes.is_empty();
    let record = bot.record.clone();
    let Some((jobs, state_bytes)) = host.0.store.index().write(move |tx| group.write(tx, &record))? else {
        // Changed or removed: the next version has its own task.
        bot.stop.cancel();
        return Ok((cursor, written, Ended::Even));
    };
    jobs.into_iter().for_each(|job| host.0.queue.add(job));
    if wakes {
        host.0.bots.wakes_changed.notify_one();
    }
    let mut ledger = bot.ledger();
    // Together: who sees the cursor at the end sees all that was handled.
    ledger.cursor = at;
    ledger.state_bytes = state_bytes;
    ledger.handled += handled;
    ledger.effects += effects;
    Ok((at, at, ended))
}

/// One event in a fresh instance. Returns the group with what it decided, or without it and the fault.
fn handle(
    host: &Host,
    bot: &Arc<Running>,
    view: &Arc<tidegate_store::View>,
    event: &Event,
    group: Group,
) -> Result<(Group, Option<String>)> {
    let calls = EventCalls::new(host.clone(), bot.clone(), view.clone(), event.seq, group);
    let handled = bot.plugin.handle(Box::new(calls), event, &bot.record.settings);
    let returned = handled.calls.into_any().downcast::<EventCalls>();
    let calls = returned.map_err(|_| Error::new(Code::Internal, "the sandbox returned other calls"))?;
    let mut ledger = bot.ledger();
    ledger.keep(handled.logs, handled.usage.dropped_lines);
    let fault = match handled.result {
        Ok(()) => return Ok((calls.group, None)),
        // Not the bot's doing: the group is tried again, and nothing counts towards the quarantine.
        Err(fault @ Fault::Host(_)) => return Err(Error::new(Code::Internal, fault.to_string())),
        Err(fault) => fault,
    };
    ledger.faults += 1;
    ledger.last_fault = Some(format!("event {}: {fault}", event.seq));
    Ok((calls.roll_back(), Some(fault.to_string())))
}

async fn quarantine(host: &Host, bot: &Arc<Running>, cursor: u64, event: u64, fault: String) -> Result<()> {
    let (name, installed) = (bot.record.name.clone(), bot.record.installed);
    let stand_still = move |tx: &mut Tx<'_>| {
        let key = name.as_str().as_bytes();
        let Some(mut record) = tx.get::<Record>(Space::Bots, key)?.filter(|r| r.installed == installed) else {
            return Ok(());
        };
        record.cursor = cursor;
        record.quarantined = Some(format!("event {event}: {fault}"));
        tx.put(Space::Bots, key, &record)?;
        let bot = name.clone();
        tx.append(EventKind::BotQuarantined { bot, at: event, fault })?;
        Ok::<_, Error>(())
    };
    host.0.store.index().write_async(stand_still).await
}
