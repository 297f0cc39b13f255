//! What can go wrong, each with what was tried and what to do next.

use std::{io, path::PathBuf};

/// An error of finding a toolchain or of building a plugin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// None of the three ways gave a compiler for the target.
    #[error(
        "no Rust compiler for {target} was found. Any one of these three ways will do:\n  \
         1. have the target in the active toolchain: {active}\n  \
         2. `rustup target add {target}`: {rustup}\n  \
         3. on Debian, a private toolchain from its packages: {debian}",
        target = crate::TARGET
    )]
    NoToolchain {
        /// Why the active toolchain would not do.
        active: String,
        /// Why rustup could not add the target.
        rustup: String,
        /// Why no private toolchain could be made.
        debian: String,
    },
    /// A program could not be started, failed, or ran past its time.
    #[error("`{command}` {outcome}{}", tail(.output))]
    Command {
        /// The program and its arguments.
        command: String,
        /// How it ended.
        outcome: String,
        /// The end of what it wrote.
        output: String,
    },
    /// The Debian packages are not what the private toolchain needs.
    #[error("{0}")]
    Debian(String),
    /// A file or a folder could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// There is no place for the user's cache.
    #[error("no cache folder: set TIDEGATE_CACHE, XDG_CACHE_HOME or HOME")]
    NoCache,
    /// Cargo built the package but made no WebAssembly module of it.
    #[error("package {package} made no .wasm file: set `crate-type = [\"cdylib\"]` in the [lib] of its Cargo.toml")]
    NoModule {
        /// The package asked for.
        package: String,
    },
    /// What a plugin says of itself breaks a rule.
    #[error("the manifest of {name} is not valid: {reason}")]
    BadManifest {
        /// The plugin's package.
        name: String,
        /// Which rule.
        reason: String,
    },
    /// The schema of settings could not be made.
    #[error(
        "the schema of the settings of {packages} could not be made: it comes from a test of the crate, so a build compiles the crate's tests, too\n{source}"
    )]
    NoSchema {
        /// The plugins' packages.
        packages: String,
        /// What went wrong.
        source: Box<Self>,
    },
    /// The module could not be made a component.
    #[error("{name} is not a Tidegate plugin: {reason}. Does it export a world of `wit/` through the SDK?")]
    NotAPlugin {
        /// The plugin's name.
        name: String,
        /// What the encoder said.
        reason: String,
    },
    /// The component asks for more than a plugin may have.
    #[error("{name} imports {import}: a plugin imports the interfaces of its world and nothing of WASI; build it for {target} without crates that need an operating system", target = crate::TARGET)]
    ForeignImport {
        /// The plugin's name.
        name: String,
        /// The import refused.
        import: String,
    },
}

impl Error {
    /// Wraps an IO error with what was attempted on which path; made for `map_err`.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

/// Output as an indented block below the message, or nothing at all.
fn tail(output: &str) -> String {
    let output = output.trim_end();
    if output.is_empty() { String::new() } else { format!("\n{output}") }
}
