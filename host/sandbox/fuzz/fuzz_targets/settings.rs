//! Any text as the settings of a first-party plugin, which says yes or no in words. `TIDEGATE_PLUGIN` names another
//! component.
#![no_main]

use std::{env, fs, path::PathBuf, sync::LazyLock};

use libfuzzer_sys::{Corpus, fuzz_target};
use tidegate_core::limits;
use tidegate_sandbox::{Fault, Options, Plugin, Sandbox};

static PLUGIN: LazyLock<Plugin> = LazyLock::new(|| {
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../target/plugins/prune.wasm");
    let file = env::var_os("TIDEGATE_PLUGIN").map_or_else(|| PathBuf::from(built), PathBuf::from);
    let component = fs::read(&file).expect("a component: run `cargo xtask plugins` first, or set TIDEGATE_PLUGIN");
    let sandbox = Sandbox::new(Options { instances: 2, ..Options::default() }).expect("a sandbox");
    sandbox.load(&component).expect("a plugin")
});

fuzz_target!(|text: &str| -> Corpus {
    if text.len() > limits::SETTINGS_BYTES {
        return Corpus::Reject;
    }
    let said = PLUGIN.configure(text);
    assert!(matches!(said, Ok(()) | Err(Fault::Error(_))), "{said:?}");
    Corpus::Keep
});
