//! What `wasmtime` makes of `wit/`. Nothing here is written by hand.
#![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated code")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "policy",
    imports: { default: trappable },
    trappable_error_type: { "tidegate:bot/types.refusal" => crate::guest::Stop },
});

/// The contract as it was at 0.1, which components are still taken for.
pub(crate) mod v0_1 {
    wasmtime::component::bindgen!({
        path: "../../wit/v0.1",
        world: "policy",
        imports: { default: trappable },
        trappable_error_type: { "tidegate:bot/types.refusal" => crate::guest::Stop },
    });
}
