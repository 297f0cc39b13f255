//! Why a sandbox or a plugin could not be made.

use std::time::Duration;

use tidegate_core::{BadPluginManifest, Want};

use crate::bounds::{printable, shortened};

/// Bytes of what an error repeats of a component.
const WORDS: usize = 2048;

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
    /// Says that it is for other worlds than the one that it was made for.
    #[error("its manifest says that it is for {says}, and it was made for {is}: name that one in its manifest")]
    Worlds {
        /// The worlds in its manifest.
        says: String,
        /// The world that its imports and exports are of.
        is: String,
    },
    /// Uses what its manifest does not declare.
    #[error("its manifest does not declare what it uses: {}; declare it with its reason, or don't call it", list(.0))]
    Undeclared(Vec<Want>),
    /// Lacks what the world asks for, or has it with another type.
    #[error("not a tidegate:bot/policy plugin: {0}")]
    World(String),
    /// The compiler was killed at its deadline.
    #[error(
        "it was not compiled within {0:?}: split its largest functions, or raise `bots.compile_deadline_seconds` of the host"
    )]
    CompileTimedOut(Duration),
    /// The compiler wanted more memory than it may use.
    #[error(
        "it was not compiled with {0} bytes of memory: split its largest functions, or raise \
         `bots.compile_memory_bytes` of the host"
    )]
    CompileTooLarge(u64),
    /// Little WebAssembly that became much code.
    #[error("its code would have more than {0} bytes: it is not for policies")]
    CodeTooLarge(usize),
    /// The compiler fell over it. Nothing else has noticed.
    #[error(
        "the compiler {how} over it{}{said}; the host is not affected: report this component, or build it otherwise",
        if said.is_empty() { "" } else { ": " }
    )]
    CompilerDied {
        /// By what it ended.
        how: String,
        /// Its last words.
        said: String,
    },
    /// So many components wait already.
    #[error("{0} components wait to be compiled: try again when some are done")]
    CompilerBusy(usize),
    /// Others were compiled for as long as it was to wait.
    #[error(
        "others were compiled for {0:?}, and it was not its turn yet: try again in a minute; what takes too long to compile \
         is given up after `bots.compile_deadline_seconds`"
    )]
    CompilerTaken(Duration),
    /// The same bytes have failed a short while ago.
    #[error("{why}; the same bytes failed lately: it is tried again after {}s", left.as_secs())]
    RefusedLately {
        /// How they failed.
        why: Box<Error>,
        /// How long until they are tried again.
        left: Duration,
    },
    /// The compiler could not be started or held.
    #[error("the compiler can't be used: {0}")]
    Compiler(String),
    /// [`Sandbox::stop_compiling`](crate::Sandbox::stop_compiling) was called.
    #[error("nothing is compiled any more: the host is stopping; try again when it is back")]
    CompilerStopped,
    /// No place to keep compiled components at.
    #[error("compiled components can't be kept: {0}")]
    Cache(String),
}

impl Error {
    /// Whether the component is at fault; if not, the same one may be accepted another time.
    pub fn blames_component(&self) -> bool {
        !matches!(
            self,
            Self::Engine(_)
                | Self::CompilerBusy(_)
                | Self::CompilerTaken(_)
                | Self::Compiler(_)
                | Self::CompilerStopped
                | Self::Cache(_)
        )
    }
}

impl Error {
    /// The same, as it can be shown: what it repeats of a component may be anything, of any length.
    pub(crate) fn plain(self) -> Self {
        let plain = |text: &str| printable(text, WORDS);
        match self {
            Self::Invalid(why) => Self::Invalid(lines(&why)),
            Self::Version { wants, offers } => Self::Version { wants: plain(&wants), offers },
            Self::Import(name) => Self::Import(plain(&name)),
            Self::Worlds { says, is } => Self::Worlds { says: plain(&says), is },
            Self::Manifest(BadPluginManifest(why)) => Self::Manifest(BadPluginManifest(plain(&why))),
            Self::World(why) => Self::World(lines(&why)),
            other => other,
        }
    }
}

/// wasmtime says why in several lines, which stay.
fn lines(text: &str) -> String {
    let plain: Vec<String> = shortened(text, WORDS).lines().map(|line| printable(line, WORDS)).collect();
    shortened(&plain.join("\n"), WORDS)
}

fn list(wants: &[Want]) -> String {
    wants.iter().map(|want| format!("`{want}`")).collect::<Vec<_>>().join(", ")
}
