//! Any bytes as a component: refused in words, or loaded and held.
#![no_main]

use std::{sync::LazyLock, time::Duration};

use libfuzzer_sys::fuzz_target;
use tidegate_sandbox::{Options, Sandbox};

static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| {
    let (deadline, tick) = (Duration::from_millis(50), Duration::from_millis(5));
    Sandbox::new(Options { instances: 2, deadline, tick, ..Options::default() }).expect("a sandbox")
});

fuzz_target!(|data: &[u8]| match SANDBOX.load(data) {
    Ok(plugin) => drop(plugin.configure("{}")),
    Err(error) => assert!(!error.to_string().is_empty()),
});
