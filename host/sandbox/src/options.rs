//! How large the sandbox is and how much a bot may use.

use std::time::Duration;

use tidegate_core::limits;

use crate::{CacheOptions, Compiler};

/// The size of a sandbox and the bounds of everything in it.
#[derive(Debug, Clone)]
pub struct Options {
    /// Handlers that run at once; one more waits for its turn. Each reserves some 8 GiB of address space, no memory.
    /// Default = 64.
    pub instances: u32,
    /// Bytes of all memories and tables of one instance together. Default = 64 MiB.
    pub memory_bytes: usize,
    /// How long one call into a bot may take, instantiation and start functions included. It is noticed at the next
    /// tick, and after a host call that is under way. Default = 1 s.
    pub deadline: Duration,
    /// Instructions, about, of one call into a bot: what ends a bot that works too long at the same place on every machine,
    /// in a replay too, where the deadline depends on how busy this one is. Counting costs some percent of a bot's own
    /// work; none leaves it out, and what is used is then not known. Default = 200 million, a few tenths of a second.
    pub fuel: Option<u64>,
    /// How often the deadline is looked at while a bot runs. Default = 10 ms.
    pub tick: Duration,
    /// Bytes of stack for WebAssembly frames. Default = 512 KiB.
    pub stack_bytes: usize,
    /// Host calls in one event, log lines apart. Default = 16384.
    pub host_calls: u32,
    /// Bytes that a bot may hand over in one call; more ends it. Longer than any bound in `wit/`, so that a value a
    /// little too long is refused in words. Default = 1 MiB.
    pub bytes_per_call: usize,
    /// Bytes that a bot may hand over in one event. Default = 8 MiB.
    pub bytes_per_event: usize,
    /// Bytes of a component. Default = 64 MiB.
    pub component_bytes: usize,
    /// Who compiles. Default = this process.
    pub compiler: Compiler,
    /// Where compiled components are kept. Default = nowhere.
    pub cache: Option<CacheOptions>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            instances: 64,
            memory_bytes: 64 << 20,
            deadline: Duration::from_secs(1),
            fuel: Some(200_000_000),
            tick: Duration::from_millis(10),
            stack_bytes: 512 << 10,
            host_calls: 16_384,
            bytes_per_call: 1 << 20,
            bytes_per_event: 8 << 20,
            component_bytes: limits::COMPONENT_BYTES,
            compiler: Compiler::default(),
            cache: None,
        }
    }
}

/// Bytes of state for which a migration may make one host call more. An entry takes up more, with its key.
const BYTES_PER_CALL: u64 = 16;

impl Options {
    /// As they are for a call that brings a state of at most so many bytes into another form: it may have to read, write and
    /// delete all of it, where an event is about a few keys. One host call more for each 16 bytes, twice the state's bytes more
    /// handed over, and an event's time and fuel once more for each time that the state has the bytes of one event.
    pub(crate) fn for_state(&self, bytes: u64) -> Self {
        let calls = u32::try_from(bytes / BYTES_PER_CALL).unwrap_or(u32::MAX);
        let events = u32::try_from(1 + bytes / (self.bytes_per_event.max(1) as u64)).unwrap_or(u32::MAX);
        let twice = usize::try_from(bytes.saturating_mul(2)).unwrap_or(usize::MAX);
        Self {
            host_calls: self.host_calls.saturating_add(calls),
            bytes_per_event: self.bytes_per_event.saturating_add(twice),
            deadline: self.deadline.saturating_mul(events),
            fuel: self.fuel.map(|fuel| fuel.saturating_mul(events.into())),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_may_use_more_the_larger_the_state() {
        let options = Options::default();
        let bounds = |it: &Options| (it.host_calls, it.bytes_per_event, it.deadline, it.fuel);
        assert_eq!(bounds(&options.for_state(0)), bounds(&options));
        let common = (16_384 + 65_536, 10 << 20, options.deadline, options.fuel);
        assert_eq!(bounds(&options.for_state(1 << 20)), common);
        let largest = (16_384 + (4 << 20), 136 << 20, Duration::from_secs(9), Some(1_800_000_000));
        assert_eq!(bounds(&options.for_state(64 << 20)), largest);
        let beyond = options.for_state(u64::MAX);
        assert_eq!((beyond.host_calls, beyond.bytes_per_event), (u32::MAX, usize::MAX));
    }
}
