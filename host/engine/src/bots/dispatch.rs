//! A bot's way along the journal.
//!
//! Events are taken in groups. Each is handled in a fresh instance; what the handlers decided goes into the index in one
//! change together with the cursor, so a group costs one sync. A handler that fails ends its group: what came before is
//! written, nothing of the failed event is, and it is tried again with a growing wait. After too many tries the bot goes
//! back to the version before it, if it has not proven itself yet; else into quarantine with its cursor before that event,
//! which is parked, and its events wait for it.

use std::{sync::Arc, time::Duration};

use tidegate_core::{Code, Decision, Event, EventKind, Mode, retry::Backoff};
use tidegate_store::{Space, Tx, View};

use super::{
    evaluate::How,
    group::{Group, Written},
    kept::Kept,
    letters::{self, Letter},
    record::Record,
    registry::Running,
    swap,
};
use crate::{Error, Host, Result, error::blocking};

/// Events in one group.
const GROUP: usize = 512;
/// After so long a group ends with the event that it is at: others want their turn, and what was decided is to be done.
const LONGEST: Duration = Duration::from_millis(500);
/// Events that do not concern a bot before its cursor is written again. A host that dies passes over them once more.
const PASSED: u64 = 4096;
/// Tries of one event before the quarantine.
const TRIES: u32 = 4;
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(200), cap: Duration::from_secs(10) };
/// Log lines of one event.
const LINES: usize = 64;

/// How a group ended.
enum Ended {
    /// At the end of the events there were.
    Even,
    /// At an event that the handler failed on, and how.
    Fault(Event, String),
}

/// Works until the bot is stopped. When it returns, nothing more of this version is written.
pub(super) async fn run(host: Host, bot: Arc<Running>) {
    let (cursor, written) = work(&host, &bot).await;
    if written < cursor {
        // What concerned this version not may concern the next: that one goes on where this one was.
        let (at_work, handler) = (host.clone(), bot.clone());
        let passed = Group { from: written, cursor, ..Group::default() };
        if let Err(error) = blocking(move || write(&at_work, &handler, passed)).await {
            tracing::warn!(bot = %bot.record.name, %error, "a cursor could not be written: events are passed over once more");
        }
    }
    bot.ended.cancel();
}

/// Returns the cursor, and the cursor that is written.
async fn work(host: &Host, bot: &Arc<Running>) -> (u64, u64) {
    let mut head = host.0.store.index().head();
    let (mut cursor, mut written) = (bot.record.cursor, bot.record.cursor);
    let mut failures = 0;
    replay(host, bot).await;
    loop {
        tokio::select! {
            () = bot.stop.cancelled() => return (cursor, written),
            () = bot.replays.notified() => {
                replay(host, bot).await;
                continue;
            }
            more = async { head.wait_for(|head| *head > cursor).await.is_ok() } => if !more { return (cursor, written) },
        }
        let (at_work, handler) = (host.clone(), bot.clone());
        // Never closed. Held until the group is written.
        let turn = host.0.bots.turns.acquire().await;
        let step = blocking(move || handle_group(&at_work, &handler, cursor, written)).await;
        drop(turn);
        if let Ok((at, ..)) = &step {
            bot.live().cursor = *at;
        }
        let wait = match step {
            Ok((at, kept, Ended::Even)) => {
                (cursor, written) = (at, kept);
                failures = 0;
                continue;
            }
            Ok((at, kept, Ended::Fault(event, fault))) => {
                failures = if at > cursor { 1 } else { failures + 1 };
                (cursor, written) = (at, kept);
                tracing::warn!(bot = %bot.record.name, event = event.seq, failures, fault, "a bot failed on an event");
                if failures >= TRIES {
                    match give_up(host, bot, cursor, event, fault).await {
                        // That has written it.
                        Ok(()) => return (cursor, cursor),
                        Err(error) => tracing::error!(%error, "a quarantine could not be written"),
                    }
                }
                let seed = format!("{}\0{cursor}", bot.record.name);
                BACKOFF.after(failures, seed.as_bytes())
            }
            Err(error) => {
                tracing::error!(bot = %bot.record.name, %error, "a bot's decisions could not be written");
                if error.code == Code::IndexBroken {
                    return (written, written);
                }
                Duration::from_secs(1)
            }
        };
        tokio::select! {
            () = bot.stop.cancelled() => return (cursor, written),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Handles what follows the cursor. Returns the cursor, the cursor that is written, and how it ended.
fn handle_group(host: &Host, bot: &Arc<Running>, cursor: u64, written: u64) -> Result<(u64, u64, Ended)> {
    let view = Arc::new(host.0.store.index().view());
    let events = view.events(cursor, GROUP)?;
    let mut group = Group { from: written, cursor, ..Group::default() };
    let mut ended = Ended::Even;
    let until = host.0.clock.monotonic().saturating_add(LONGEST);
    for event in &events {
        let late = group.handled > 0 && host.0.clock.monotonic() > until;
        if bot.stop.is_cancelled() || late {
            break;
        }
        if let Some(fault) = take(host, bot, &view, event, &mut group)? {
            ended = Ended::Fault(event.clone(), fault);
            break;
        }
        group.cursor = event.seq;
    }
    let at = group.cursor;
    if group.handled == 0 && at - written < PASSED {
        bot.live().ledger.add(&group.delta.ledger);
        return Ok((at, written, ended));
    }
    match write(host, bot, group)? {
        true => Ok((at, at, ended)),
        // Changed or removed: the next version has its own task.
        false => {
            bot.stop.cancel();
            Ok((cursor, written, Ended::Even))
        }
    }
}

/// One event, by whoever it concerns. Returns the fault of the version at work.
fn take(host: &Host, bot: &Arc<Running>, view: &Arc<View>, event: &Event, group: &mut Group) -> Result<Option<String>> {
    let (name, version) = (&bot.record.name, &bot.record.version);
    let concerned = version.triggers.wakes(name, &version.grants, event);
    let compared = bot.candidate.as_ref().filter(|candidate| candidate.wakes(name, event));
    let kind = event.kind.name().to_owned();
    let mut decision = Decision { event: event.seq, time: event.time, kind, ..Decision::default() };
    if concerned {
        match handle(host, bot, view, event, group, compared.is_some())? {
            Ok(decided) => decision = decided,
            Err(fault) => {
                bot.live().last_fault = Some(format!("event {}: {fault}", event.seq));
                return Ok(Some(fault));
            }
        }
    }
    if let Some(candidate) = compared {
        candidate.compare(host, view, event, decision);
    }
    Ok(None)
}

/// One event through the version at work, on top of its group: its next one, or a parked one once more. Either has its log
/// lines out of one bucket, and its decision on the record where not all of them are carried out. Returns the decision,
/// if it was recorded, or the fault.
fn handle(
    host: &Host,
    bot: &Arc<Running>,
    view: &Arc<View>,
    event: &Event,
    group: &mut Group,
    wanted: bool,
) -> Result<Result<Decision, String>> {
    let (ground, lines) = {
        let mut live = bot.live();
        (live.ground.clone(), live.bucket.room(host.0.clock.monotonic()).min(LINES))
    };
    let recorded = bot.record.version.mode != Mode::Enforce;
    let how = How { record: wanted || recorded, lines, parked: group.letter.is_some() };
    let before = std::mem::take(&mut group.delta);
    let dropped = before.ledger.log_dropped;
    let evaluated = bot.handler.evaluate(host, view, &ground, event, before, how)?;
    group.delta = evaluated.group;
    let mut live = bot.live();
    live.bucket.take(evaluated.logs.len());
    live.keep(&evaluated.logs, group.delta.ledger.log_dropped - dropped);
    drop(live);
    if let Some(fault) = evaluated.fault {
        return Ok(Err(fault.to_string()));
    }
    group.handled += 1;
    if recorded && !evaluated.decision.is_empty() {
        group.decisions.push(evaluated.decision.clone());
    }
    Ok(Ok(evaluated.decision))
}

/// Writes a group, and takes in what came of it. False if the bot was changed or removed meanwhile.
fn write(host: &Host, bot: &Arc<Running>, mut group: Group) -> Result<bool> {
    let (at, letter) = (group.cursor, group.letter);
    let (ledger, decisions) = (group.delta.ledger.clone(), std::mem::take(&mut group.decisions));
    let wakes = !group.delta.wakes.is_empty();
    let record = bot.record.clone();
    if bot.live().left.is_some_and(|left| left <= group.handled) {
        group.kept = Kept::of(&host.0.store.index().view(), &record.name)?;
    }
    let Some(written) = host.0.store.index().write(move |tx| group.write(tx, &record))? else { return Ok(false) };
    let Written { jobs, cancelled, state_bytes, metrics, spent, left } = written;
    jobs.into_iter().for_each(|job| host.0.queue.add(job));
    cancelled.iter().for_each(|id| host.0.queue.cancel(id));
    if wakes {
        host.0.bots.wakes_changed.notify_one();
    }
    let mut live = bot.live();
    // Together: who sees the cursor at the end sees all that was handled.
    if letter.is_none() {
        live.cursor = at;
    }
    live.ground = Arc::new(super::ground::Ground { state_bytes, metrics, spent, apart: None });
    live.left = left;
    live.ledger.add(&ledger);
    live.record(decisions);
    Ok(true)
}

/// Hands parked events to the bot that an operator wants it to have again, each as a change of its own. One that fails
/// once more stays parked.
async fn replay(host: &Host, bot: &Arc<Running>) {
    let (at_work, handler) = (host.clone(), bot.clone());
    let done = blocking(move || {
        let name = &handler.record.name;
        let asked = letters::all(&at_work.0.store.index().view(), name)?.into_iter().filter(|letter| letter.replay);
        for event in asked.map(|letter| letter.event.seq) {
            if handler.stop.is_cancelled() {
                break;
            }
            // It may have been thrown away while those before it were handled.
            let view = Arc::new(at_work.0.store.index().view());
            if let Some(letter) = letters::find(&view, name, event)?.filter(|letter| letter.replay) {
                replay_one(&at_work, &handler, &view, letter)?;
            }
        }
        Ok::<_, Error>(())
    });
    if let Err(error) = done.await {
        tracing::error!(bot = %bot.record.name, %error, "a parked event could not be handled again; ask for it again");
    }
}

fn replay_one(host: &Host, bot: &Arc<Running>, view: &Arc<View>, letter: Letter) -> Result<()> {
    let event = letter.event.seq;
    let mut group = Group { letter: Some(event), ..Group::default() };
    let Err(fault) = handle(host, bot, view, &letter.event, &mut group, false)? else {
        return write(host, bot, group).map(drop);
    };
    let mut live = bot.live();
    live.last_fault = Some(format!("event {event}, parked: {fault}"));
    live.ledger.add(&group.delta.ledger);
    drop(live);
    let record = bot.record.clone();
    host.0.store.index().write(move |tx| letters::failed_again(tx, &record, letter, fault))
}

/// The bot has failed too often on one event: back to the version before it, or into quarantine.
async fn give_up(host: &Host, bot: &Arc<Running>, cursor: u64, event: Event, fault: String) -> Result<()> {
    let (name, installed) = (bot.record.name.clone(), bot.record.installed);
    let (at_work, about) = (host.clone(), name.clone());
    let (way, lost) =
        blocking(move || Ok::<_, Error>((at_work.way_back(&about)?, at_work.no_way_back(&about)?))).await?;
    let stand_still = move |tx: &mut Tx<'_>| {
        let key = name.as_str().as_bytes();
        let Some(mut record) = tx.get::<Record>(Space::Bots, key)?.filter(|r| r.installed == installed) else {
            return Ok(false);
        };
        record.cursor = cursor;
        if record.previous.is_some() && lost.is_none() {
            swap::go_back(tx, &mut record, event.seq, fault, way)?;
            return Ok(true);
        }
        let lost = lost.map(|lost| format!("; the version before it can't be put back: {lost}")).unwrap_or_default();
        let fault = format!("{fault}{lost}");
        record.quarantined = Some(format!("event {}: {fault}", event.seq));
        let (bot, at) = (name.clone(), event.seq);
        letters::park(tx, &mut record, event, fault.clone())?;
        tx.put(Space::Bots, key, &record)?;
        tx.append(EventKind::BotQuarantined { bot, at, fault })?;
        Ok::<_, Error>(false)
    };
    let restart = host.0.store.index().write_async(stand_still).await?;
    if restart {
        tracing::warn!(bot = %bot.record.name, "a new version failed in its first events: the one before is put back");
        host.0.bots.wakes_changed.notify_one();
        host.0.bots.restart(bot.record.name.clone());
    }
    Ok(())
}
