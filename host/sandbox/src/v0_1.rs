//! Components of the contract at 0.1: each of their calls becomes the call of today's contract that does the same, so that
//! bounds, grants and guard stand in one place. What has come since (metrics, plans, cancelling, `stale-token`) they do not
//! see.

#[path = "convert.rs"]
pub(crate) mod convert;

use tidegate_core::{EffectKind, Why};

use crate::{
    bindings::{
        tidegate::bot::{
            checkpoints as now_checkpoints, replication as now_replication, schedule as now_schedule,
            state as now_state,
        },
        v0_1::tidegate::bot::{checkpoints, clock, log, random, replication, schedule, state, types},
    },
    bounds::shortened,
    guest::{Guest, Stop},
};

impl types::Host for Guest {
    fn convert_refusal(&mut self, stop: Stop) -> wasmtime::Result<types::Refusal> {
        let refusal = match stop {
            Stop::Refused(refusal) => refusal,
            Stop::Trap(error) => return Err(error),
        };
        let text = shortened(&refusal.message, 1024);
        Ok(match refusal.why {
            Why::Denied | Why::StaleToken => types::Refusal::Denied(text),
            Why::WouldLoseData => types::Refusal::WouldLoseData(text),
            Why::OverQuota => types::Refusal::OverQuota(text),
            Why::NotFound => types::Refusal::NotFound(text),
            Why::Unnecessary => types::Refusal::Unnecessary(text),
            Why::Invalid => types::Refusal::Invalid(text),
            Why::Unavailable => types::Refusal::Unavailable(text),
        })
    }
}

impl checkpoints::Host for Guest {
    fn runs(&mut self, after: Option<String>) -> Result<Vec<String>, Stop> {
        now_checkpoints::Host::runs(self, after)
    }

    fn list_checkpoints(&mut self, run: String, before: Option<u64>, limit: u32) -> Result<checkpoints::Page, Stop> {
        let (items, next) = self.list(run, before, limit)?;
        Ok(checkpoints::Page { items: items.iter().map(convert::checkpoint).collect(), next })
    }

    fn get_checkpoint(&mut self, run: String, step: u64) -> Result<Option<types::Checkpoint>, Stop> {
        Ok(self.get(run, step)?.as_ref().map(convert::checkpoint))
    }

    fn pin(&mut self, run: String, step: u64, reason: String) -> Result<String, Stop> {
        now_checkpoints::Host::pin(self, run, step, reason)
    }

    fn unpin(&mut self, run: String, step: u64, reason: String) -> Result<String, Stop> {
        now_checkpoints::Host::unpin(self, run, step, reason)
    }

    fn prune(&mut self, run: String, step: u64, from: types::Tier, reason: String) -> Result<String, Stop> {
        self.effect(run, step, EffectKind::Prune { tier: convert::tier_from(from) }, reason)
    }
}

impl replication::Host for Guest {
    fn replicate(&mut self, request: replication::Request) -> Result<String, Stop> {
        let replication::Request { run, step, target, not_before, priority, reason } = request;
        let (encoding, deadline, rate) = (None, None, None);
        let request =
            now_replication::Request { run, step, target, encoding, not_before, deadline, rate, priority, reason };
        now_replication::Host::replicate(self, request)
    }
}

impl state::Host for Guest {
    fn get(&mut self, key: String) -> Result<Option<Vec<u8>>, Stop> {
        now_state::Host::get(self, key)
    }

    fn set(&mut self, key: String, value: Vec<u8>) -> Result<(), Stop> {
        now_state::Host::set(self, key, value)
    }

    fn delete(&mut self, key: String) -> Result<(), Stop> {
        now_state::Host::delete(self, key)
    }

    fn keys(&mut self, prefix: String, after: Option<String>) -> Result<Vec<String>, Stop> {
        now_state::Host::keys(self, prefix, after)
    }
}

impl schedule::Host for Guest {
    fn wake_at(&mut self, time: u64, key: String, reason: String) -> Result<(), Stop> {
        now_schedule::Host::wake_at(self, time, key, reason)
    }

    fn cancel(&mut self, key: String) -> Result<(), Stop> {
        now_schedule::Host::cancel(self, key)
    }
}

impl clock::Host for Guest {
    fn now(&mut self) -> wasmtime::Result<u64> {
        crate::bindings::tidegate::bot::clock::Host::now(self)
    }
}

impl random::Host for Guest {
    fn next_u64(&mut self) -> Result<u64, Stop> {
        crate::bindings::tidegate::bot::random::Host::next_u64(self)
    }

    fn next_bytes(&mut self, count: u32) -> Result<Vec<u8>, Stop> {
        crate::bindings::tidegate::bot::random::Host::next_bytes(self, count)
    }
}

impl log::Host for Guest {
    fn line(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Debug => crate::Level::Debug,
            log::Level::Info => crate::Level::Info,
            log::Level::Warn => crate::Level::Warn,
            log::Level::Error => crate::Level::Error,
        };
        self.logs.push(level, &message);
        Ok(())
    }
}
