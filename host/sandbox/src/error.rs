//! Why a sandbox or a plugin could not be made.

use tidegate_core::{BadPluginManifest, Want};

/// Why a sandbox could not be made or a component was not accepted. Each text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// wasmtime did not take the options, or this machine has no room for them.
    #[error(
        "cannot set up the WebAssembly engine: {0}; if address space is limited (ulimit -v), allow fewer instances"
    )]
    Engine(String),
    /// Too large to be looked at.
    #[error("the component has {bytes} bytes, at most {max} are accepted")]
    TooLarge {
        /// What came.
        bytes: usize,
        /// What is accepted.
        max: usize,
    },
    /// No WebAssembly at all.
    #[error("not WebAssembly: it does not start with \\0asm; give the .wasm file that a plugin build makes")]
    NotWasm,
    /// A core module.
    #[error("a core WebAssembly module, not a component: make one of it, for example with `cargo xtask plugins`")]
    Module,
    /// Bytes that are cut off, damaged, or use features that are off here.
    #[error("not a valid component: {0}")]
    Invalid(String),
    /// Made for another version of the contract.
    #[error(
        "made for tidegate:bot@{wants}, this host offers tidegate:bot@{offers}: rebuild it with the SDK of this host"
    )]
    Version {
        /// The version that the component imports.
        wants: String,
        /// The versions that are accepted.
        offers: String,
    },
    /// Wants more than the world has.
    #[error("imports {0}, which the world tidegate:bot/policy does not have: a plugin can use nothing else")]
    Import(String),
    /// Says of itself what can't be.
    #[error("{0}")]
    Manifest(#[from] BadPluginManifest),
    /// Uses what its manifest does not declare.
    #[error("its manifest does not declare what it uses: {}; declare it with its reason, or don't call it", list(.0))]
    Undeclared(Vec<Want>),
    /// Lacks what the world asks for, or has it with another type.
    #[error("not a tidegate:bot/policy plugin: {0}")]
    World(String),
}

fn list(wants: &[Want]) -> String {
    wants.iter().map(|want| format!("`{want}`")).collect::<Vec<_>>().join(", ")
}
