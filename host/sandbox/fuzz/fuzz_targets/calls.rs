//! Any bytes as the host calls of one event: nothing out of the bounds that `wit/` states is passed on, in either
//! direction.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| tidegate_sandbox::fuzz_calls(data));
