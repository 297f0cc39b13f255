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
