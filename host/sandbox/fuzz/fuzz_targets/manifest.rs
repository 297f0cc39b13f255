//! Any bytes as a component whose manifest is read, and as the manifest itself. Nothing is compiled, so it is fast.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_core::PluginManifest;

fuzz_target!(|data: &[u8]| {
    let _ = tidegate_sandbox::manifest(data);
    if let Ok(manifest) = PluginManifest::decode(data) {
        manifest.encode().expect("what was read can be written");
    }
});
