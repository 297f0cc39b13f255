//! One event through one version of a bot: the same path for what is carried out and for what is only tried.

use std::sync::Arc;

use tidegate_core::{Code, Decision, Event, EventKind};
use tidegate_sandbox::{Fault, LogLine, Plugin, Usage};
use tidegate_store::View;

use super::{
    calls::{EventCalls, Who},
    delta::Delta,
    ground::Ground,
};
use crate::{Error, Host, Result};

/// A version of a bot that can handle events.
#[derive(Debug, Clone)]
pub(super) struct Handler {
    pub(super) who: Arc<Who>,
    pub(super) plugin: Plugin,
    pub(super) settings: Arc<str>,
}

/// How an event is to be handled.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    /// Whether somebody wants to see what was asked.
    pub(super) record: bool,
    /// Log lines that are kept.
    pub(super) lines: usize,
    /// Whether the event was parked: it then comes after later ones.
    pub(super) parked: bool,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Evaluated {
    /// The group with what this event decided; without it if the handler failed.
    pub(super) group: Delta,
    pub(super) fault: Option<Fault>,
    pub(super) decision: Decision,
    pub(super) logs: Vec<LogLine>,
}

impl Handler {
    /// Handles an event in a fresh instance, on top of what those before it in the group decided.
    ///
    /// # Errors
    /// Not the bot's doing: the host could not run it.
    pub(super) fn evaluate(
        &self,
        host: &Host,
        view: &Arc<View>,
        ground: &Arc<Ground>,
        event: &Event,
        group: Delta,
        how: How,
    ) -> Result<Evaluated> {
        let (host, who) = (host.clone(), self.who.clone());
        let group = self.arrive(view, ground, event, group)?;
        let mut calls = EventCalls::new(host, who, view.clone(), event.clone(), ground.clone(), group);
        calls.asked = how.record.then(Vec::new);
        (calls.lines, calls.parked) = (how.lines, how.parked);
        let handled = self.plugin.handle(Box::new(calls), event, &self.settings);
        let returned = handled.calls.into_any().downcast::<EventCalls>();
        let calls = *returned.map_err(|_| Error::new(Code::Internal, "the sandbox returned other calls"))?;
        let EventCalls { mut group, mut own, asked, called_off, .. } = calls;
        account(&mut own, &handled.usage, &handled.logs);
        let mut decision = Decision {
            event: event.seq,
            time: event.time,
            kind: event.kind.name().to_owned(),
            asked: asked.unwrap_or_default(),
            cancels: called_off,
            wakes: Vec::new(),
            fault: None,
            log: Vec::new(),
        };
        if how.record {
            let when =
                |(key, wake): (&String, &Option<super::wakes::Wake>)| (key.clone(), wake.as_ref().map(|it| it.due));
            decision.wakes = own.wakes.iter().map(when).collect();
            decision.log = handled.logs.iter().map(|line| format!("{}: {}", line.level.name(), line.message)).collect();
        }
        let fault = match handled.result {
            Ok(()) => {
                own.ledger.handled = 1;
                group.absorb(own);
                None
            }
            Err(fault @ Fault::Host(_)) => return Err(Error::new(Code::Internal, fault.to_string())),
            Err(fault) => {
                // What it cost stays on its account; what it asked for does not.
                own.ledger.faults = 1;
                (own.ledger.effects, own.ledger.shadowed) = Default::default();
                group.ledger.add(&own.ledger);
                decision.fault = Some(fault.to_string());
                Some(fault)
            }
        };
        Ok(Evaluated { group, fault, decision, logs: handled.logs })
    }

    /// A wake that the bot comes to frees its key, whatever the handler does then; one that was moved since frees nothing.
    fn arrive(&self, view: &View, ground: &Ground, event: &Event, mut group: Delta) -> Result<Delta> {
        if let EventKind::BotWoken { bot, key, due, .. } = &event.kind
            && *bot == self.who.name
        {
            let asked = match group.wakes.get(key) {
                Some(asked) => asked.as_ref().map(|wake| wake.due),
                None => ground.wake(view, bot, key)?,
            };
            if asked == Some(*due) {
                group.wakes.insert(key.clone(), None);
                group.came.push((key.clone(), *due));
            }
        }
        Ok(group)
    }
}

fn account(own: &mut Delta, usage: &Usage, logs: &[LogLine]) {
    let ledger = &mut own.ledger;
    ledger.fuel = usage.fuel;
    ledger.wall = usage.wall;
    ledger.memory_peak = usage.memory_bytes;
    ledger.host_calls = u64::from(usage.host_calls);
    ledger.host_bytes = usage.host_bytes;
    ledger.log_lines = logs.len() as u64;
    ledger.log_dropped = usage.dropped_lines;
}
