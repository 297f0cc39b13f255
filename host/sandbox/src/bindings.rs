//! What `wasmtime` makes of `wit/`. Nothing here is written by hand.
#![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated code")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "policy",
    imports: { default: trappable },
    trappable_error_type: { "tidegate:bot/types.refusal" => crate::guest::Stop },
});
