//! Components written in WebAssembly text: bots that do exactly one thing, also what no SDK would let them do.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The import of `state.set`: key, its length, value, its length, where the answer goes.
pub const STATE_SET: &str =
    r#"(import "tidegate:bot/state@0.2.0" "set" (func $state_set (param i32 i32 i32 i32 i32)))"#;

/// The import of `checkpoints.prune`: run, its length, step, tier (0 NVMe, 1 object), reason, its length, where the
/// answer goes.
pub const PRUNE: &str =
    r#"(import "tidegate:bot/checkpoints@0.2.0" "prune" (func $prune (param i32 i32 i64 i32 i32 i32 i32)))"#;

/// The import of `checkpoints.pin`: run, its length, step, reason, its length, where the answer goes.
pub const PIN: &str = r#"(import "tidegate:bot/checkpoints@0.2.0" "pin" (func $pin (param i32 i32 i64 i32 i32 i32)))"#;

/// Where the contract stands.
pub fn wit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")
}

/// A core module with an allocator and both exports. `top` stands before everything, imports first; `handle` is the body
/// of `handle`, which leaves nothing on the stack. What stands at address 16 is the result; zero is `ok`. Of a
/// `shard-committed` event (`$what` = 1), `$run`, `$run_len` and `$step` are what they say.
pub fn module(top: &str, handle: &str) -> String {
    format!(
        r#"(module
        {top}
        (memory (export "memory") 16)
        (global $heap (mut i32) (i32.const 65536))
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            (global.set $heap (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
            global.get $heap
            (global.set $heap (i32.add (global.get $heap) (local.get 3))))
        (func (export "configure") (param i32 i32) (result i32) i32.const 16)
        (func (export "handle")
            (param $seq i64) (param $time i64) (param $host i32) (param $host_len i32) (param $what i32)
            (param $run i32) (param $run_len i32) (param $step i64) (param i32 i64 i64 i32 i32)
            (param $settings i32) (param $settings_len i32) (result i32)
            {handle}
            i32.const 16)
        )"#
    )
}

/// The component of [`module`].
///
/// # Errors
/// Text that is no module, or not one of the world `policy`.
pub fn component(top: &str, handle: &str) -> Result<Vec<u8>> {
    component_for(&wit(), &module(top, handle))
}

/// The component of a core module in text, for the world `policy` of a folder of WIT.
///
/// # Errors
/// As [`component`].
pub fn component_for(wit: &Path, text: &str) -> Result<Vec<u8>> {
    of_world(wit, "policy", text)
}

/// The component of a core module in text, for this world of the contract.
///
/// # Errors
/// As [`component`].
pub fn component_for_world(world: &str, text: &str) -> Result<Vec<u8>> {
    of_world(&wit(), world, text)
}

/// The component with this manifest, a JSON object of fields as `tidegate plugin build` writes them.
///
/// # Errors
/// A manifest that breaks a rule.
pub fn with_manifest(mut component: Vec<u8>, manifest: serde_json::Value) -> Result<Vec<u8>> {
    tidegate_build::embed(&mut component, &serde_json::from_value(manifest)?)?;
    Ok(component)
}

fn of_world(wit: &Path, world: &str, text: &str) -> Result<Vec<u8>> {
    let mut module = wat::parse_str(text).context("the guest's text")?;
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit)?;
    let world = resolve.select_world(&[package], Some(world))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default().validate(true).module(&module)?.encode()
}
