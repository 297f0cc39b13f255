//! The engine: what is on, what is off, how large the pool is.

use std::hash::{Hash, Hasher};

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use crate::{Error, Options};

/// Core instances of one component: a Rust plugin has three (the module, its shim and its fix-up), one that brings an
/// interpreter of Python along has fourteen.
const CORE_INSTANCES: u32 = 24;
/// Memories of one component. The bound on bytes is over all of them.
const MEMORIES: u32 = 2;
/// Tables of one component.
const TABLES: u32 = 24;
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
    let mut config = code(options.fuel.is_some());
    config.max_wasm_stack(options.stack_bytes).allocation_strategy(InstanceAllocationStrategy::Pooling(pool(options)));
    Engine::new(&config).map_err(|error| Error::Engine(format!("{error:#}")))
}

/// An engine that makes the code that one of [`build`] runs, and runs nothing itself: it needs no pool. It has one
/// thread, since it works beside a trainer. `metered` code counts its fuel.
pub(crate) fn for_code(metered: bool) -> Result<Engine, Error> {
    let mut config = code(metered);
    config.parallel_compilation(false).allocation_strategy(InstanceAllocationStrategy::OnDemand);
    Engine::new(&config).map_err(|error| Error::Engine(format!("{error:#}")))
}

/// All that code depends on.
fn code(metered: bool) -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .epoch_interruption(true)
        .consume_fuel(metered)
        .memory_init_cow(true)
        .cranelift_opt_level(OptLevel::Speed)
        // The same event must lead to the same decision on every machine.
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        // A component that holds others moves strings from one's memory to the other's, in code that the compiler makes and
        // that sees both: the runtime of JavaScript is such a one. How many there are in all is the pool's bound.
        .wasm_multi_memory(true)
        // Not needed by a policy, and each one more thing that could be wrong.
        .wasm_memory64(false)
        .wasm_tail_call(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false);
    config
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

/// What code depends on beside the component: wasmtime's version, the processor, and what is on and off in the engine.
pub(crate) fn hash(engine: &Engine) -> [u8; 32] {
    let mut hasher = Blake(blake3::Hasher::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    *hasher.0.finalize().as_bytes()
}

/// BLAKE3 for values that can be hashed: 64 bits are too few to name code by.
struct Blake(blake3::Hasher);

impl Hasher for Blake {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        u64::from_le_bytes(self.0.finalize().as_bytes().first_chunk().copied().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_whose_parts_have_memories_of_their_own_can_be_compiled() {
        let text = r#"(component
            (component $callee
                (core module $m
                    (memory (export "memory") 1)
                    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
                    (func (export "take") (param i32 i32)))
                (core instance $m (instantiate $m))
                (func (export "take") (param "text" string)
                    (canon lift (core func $m "take") (memory $m "memory") (realloc (func $m "realloc")))))
            (instance $callee (instantiate $callee))
            (core module $memory (memory (export "memory") 1))
            (core instance $memory (instantiate $memory))
            (core func $take (canon lower (func $callee "take") (memory $memory "memory")))
            (core module $caller
                (import "callee" "take" (func $take (param i32 i32)))
                (func (export "run") (call $take (i32.const 0) (i32.const 9))))
            (core instance $caller (instantiate $caller (with "callee" (instance (export "take" (func $take))))))
            (func (export "run") (canon lift (core func $caller "run"))))"#;
        let component = wat::parse_str(text).unwrap();
        for engine in [for_code(true).unwrap(), for_code(false).unwrap()] {
            assert!(engine.precompile_component(&component).is_ok());
        }
    }
}
