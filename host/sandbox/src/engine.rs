//! The engine: what is on, what is off, how large the pool is.

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use crate::{Error, Options};

/// Core instances of one component: a Rust plugin has three (the module, its shim and its fix-up).
const CORE_INSTANCES: u32 = 8;
/// Memories of one component. The bound on bytes is over all of them.
const MEMORIES: u32 = 2;
/// Tables of one component.
const TABLES: u32 = 8;
/// Elements of one table: functions that a plugin calls by pointer.
const TABLE_ELEMENTS: usize = 20_000;
/// What stays mapped of a memory and a table after an event, so that the next one takes no page faults for it. Where
/// the kernel can tell which pages were written (Linux 6.7) only those stay and are cleared; a small plugin writes ten.
/// Measured for `replicate`, a cold event: 8 µs so, 16 µs without such a kernel, 21 µs when nothing stays.
const KEEP_MEMORY: usize = 2 << 20;
const KEEP_TABLE: usize = 16 << 10;
/// Places in the pool that stay so for plugins that do not run at the moment.
const WARM: u32 = 16;

/// An engine for these options.
pub(crate) fn build(options: &Options) -> Result<Engine, Error> {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .epoch_interruption(true)
        .consume_fuel(options.fuel.is_some())
        .max_wasm_stack(options.stack_bytes)
        .memory_init_cow(true)
        .cranelift_opt_level(OptLevel::Speed)
        // The same event must lead to the same decision on every machine.
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        // Not needed by a policy, and each one more thing that could be wrong.
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_tail_call(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(options)));
    Engine::new(&config).map_err(|error| Error::Engine(format!("{error:#}")))
}

fn pool(options: &Options) -> PoolingAllocationConfig {
    let instances = options.instances;
    let mut pool = PoolingAllocationConfig::new();
    // Room for `instances` of the largest components that are accepted, so that running out is never a bot's fault.
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES))
        .total_memories(instances.saturating_mul(MEMORIES))
        .total_tables(instances.saturating_mul(TABLES))
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .max_memory_size(options.memory_bytes)
        .table_elements(TABLE_ELEMENTS)
        .max_unused_warm_slots(WARM)
        .linear_memory_keep_resident(KEEP_MEMORY)
        .table_keep_resident(KEEP_TABLE)
        .pagemap_scan(Enabled::Auto);
    pool
}
