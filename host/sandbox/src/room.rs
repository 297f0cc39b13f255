//! WASI 0.2 for components of languages that can't do without it, as a closed room: there is no file, no socket, no
//! argument and no environment; time stands still at the event's, so that a sleep ends at once; chance is drawn from the
//! event's stream; and what is printed goes into the bot's log.
//!
//! Its calls are wasmtime-wasi's own, which know nothing of the bot's budget. What holds for them:
//!
//! - Each call, the drop of a handle too, fetches the room from the guest first, and is counted there as one host call. What is
//!   drawn is counted as bytes handed over at the next call, what is printed at the end. So all of it stands in the ledger.
//! - A call can't be refused from there: a handler that was over its budget at its end is ended then, as the one that asks the
//!   contract for anything is at once. Until then fuel and deadline bound how often it calls.
//! - The strings and lists of one call are bounded by `bytes_per_call`, as in every call; one event prints at most 64 KiB
//!   and draws at most 64 KiB in a call, and holds at most 1024 handles: one more of these ends it at once.
//! - No call waits, reads a file or opens a socket: there is none, and every time has come.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use rand::TryRng;
use tidegate_core::Timestamp;
use wasmtime::{StoreContextMut, component::Linker};
use wasmtime_wasi::{
    HostMonotonicClock, HostWallClock, ResourceTable, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView,
    clocks::WasiClocksView,
    p2::{bindings::clocks::monotonic_clock::Host as _, pipe::MemoryOutputPipe},
};

use crate::{Level, budget::Budget, guest::Guest, logs::Logs};

/// Bytes that may be printed in one event; one more ends the handler.
const PRINTED: usize = 64 << 10;
/// Resources that a guest may hold at once: streams, pollables, descriptors.
const RESOURCES: usize = 1024;
/// The interface that could wait.
const CLOCK: &str = "wasi:clocks/monotonic-clock@0.2.12";

/// One event's room.
pub(crate) struct Room {
    ctx: WasiCtx,
    table: ResourceTable,
    printed: MemoryOutputPipe,
    drawn: Arc<AtomicUsize>,
    /// Bytes drawn that are in the budget.
    counted: usize,
}

/// A clock that stands still.
struct Still(Timestamp);

impl HostWallClock for Still {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }
    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.0)
    }
}

impl HostMonotonicClock for Still {
    fn resolution(&self) -> u64 {
        1
    }
    fn now(&self) -> u64 {
        self.0.0
    }
}

/// A stream of bytes that a seed determines, and how many were drawn of all of them.
struct Drawn(blake3::OutputReader, Arc<AtomicUsize>);

impl Drawn {
    fn new(seed: &[u8], what: &str, drawn: &Arc<AtomicUsize>) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("tidegate 2026-11 chance of a closed room v1");
        hasher.update(what.as_bytes()).update(seed);
        Self(hasher.finalize_xof(), drawn.clone())
    }
}

impl TryRng for Drawn {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        // wasmtime-wasi draws each byte of a list as a word of its own, and no whole word for anything else.
        self.1.fetch_add(1, Relaxed);
        Ok(u32::from_le_bytes(bytes))
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(into);
        self.1.fetch_add(into.len(), Relaxed);
        Ok(())
    }
}

impl Room {
    /// A room at a time, with this seed of chance.
    fn new(now: Timestamp, seed: &[u8]) -> Self {
        let printed = MemoryOutputPipe::new(PRINTED);
        let (mut hash, drawn) = ([0; 16], Arc::default());
        Drawn::new(seed, "hash", &drawn).0.fill(&mut hash);
        let mut builder = WasiCtxBuilder::new();
        builder
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .stdout(printed.clone())
            .stderr(printed.clone())
            .wall_clock(Still(now))
            .monotonic_clock(Still(now))
            .secure_random(Drawn::new(seed, "secure", &drawn))
            .insecure_random(Drawn::new(seed, "insecure", &drawn))
            .insecure_random_seed(u128::from_le_bytes(hash))
            .max_random_size(PRINTED as u64);
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES);
        Self { ctx: builder.build(), table, printed, drawn, counted: 0 }
    }

    /// Bytes drawn since this was asked the last time.
    fn more_drawn(&mut self) -> usize {
        let drawn = self.drawn.load(Relaxed);
        drawn.saturating_sub(std::mem::replace(&mut self.counted, drawn))
    }

    /// At the end of the event: puts what was printed into the log, line by line, and what is not counted yet into the
    /// budget.
    pub(crate) fn close(mut self, logs: &mut Logs, budget: &mut Budget) {
        let printed = self.printed.contents();
        budget.note(0, self.more_drawn().saturating_add(printed.len()));
        let text = String::from_utf8_lossy(&printed);
        text.lines().filter(|line| !line.trim().is_empty()).for_each(|line| logs.push(Level::Info, line));
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (now, calls) = (self.now, &mut self.calls);
        let room = self.room.get_or_insert_with(|| {
            let mut seed = [0; 32];
            // `configure` has no event and so no chance: it gets the same bytes every time.
            let _ = calls.random(&mut seed);
            Box::new(Room::new(now, &seed))
        });
        self.budget.note(1, room.more_drawn());
        WasiCtxView { ctx: &mut room.ctx, table: &mut room.table }
    }
}

/// Adds the room's functions.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_sync(linker)?;
    // No handler waits: a pollable for any time is ready at once.
    linker.allow_shadowing(true);
    let mut clock = linker.instance(CLOCK)?;
    let at_once =
        |mut store: StoreContextMut<'_, Guest>, (_,): (u64,)| Ok((store.data_mut().clocks().subscribe_duration(0)?,));
    clock.func_wrap("subscribe-duration", at_once)?;
    clock.func_wrap("subscribe-instant", at_once)?;
    linker.allow_shadowing(false);
    Ok(())
}
