//! From a component to machine code: here, or in a process that can be killed.
//!
//! Compiling is the one thing that the host does with all of a stranger's bytes before any of its bounds hold: it may
//! take minutes and gigabytes, and a fault in it is a fault of whoever runs it. So a host lets a [`Compiler::Worker`] do
//! it, a process with a deadline, a bound on its memory, a lower priority, no environment and no descriptors; of the
//! compiler nothing runs in the host. Reading the manifest does: that is a pass over the sections' headers.

mod calloff;
mod code;
mod lent;
mod refusals;
mod serve;
mod talk;
mod turns;
mod wire;
mod worker;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use tidegate_core::{Clock, Digest, SystemClock};
use wasmtime::{Engine, component::Component};

use calloff::CallOff;
pub(crate) use code::Code;
use refusals::Refusals;
pub use serve::compile_worker;
use turns::{Turn, Turns};

use crate::{
    Error, Options,
    cache::{Cache, Entry},
    engine as engines,
};

/// Who compiles.
#[derive(Debug, Clone, Default)]
pub enum Compiler {
    /// This process, for as long and with as much memory as it takes: for tests, tools and benchmarks, which know what
    /// they load. The default.
    #[default]
    InProcess,
    /// A process of its own for each component, one at a time.
    Worker(Worker),
}

/// How a process that compiles is started and held. It answers one request on its standard input, as
/// [`compile_worker`] does.
#[derive(Debug, Clone)]
pub struct Worker {
    /// The program, which is this one or of the same build: `/proc/self/exe` is right even after it was replaced.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// How long one component may take; then it is killed. Default = 60 s.
    pub deadline: Duration,
    /// Bytes of address space that it may use, of which the program itself takes some. Default = 1 GiB.
    pub memory_bytes: u64,
}

impl Worker {
    /// This program, started with these arguments, with the default bounds.
    pub fn this_program<A: Into<OsString>>(args: impl IntoIterator<Item = A>) -> Self {
        Self {
            program: "/proc/self/exe".into(),
            args: args.into_iter().map(Into::into).collect(),
            deadline: Duration::from_secs(60),
            memory_bytes: 1 << 30,
        }
    }
}

/// What a sandbox compiles with, and what it remembers.
#[derive(Debug)]
pub(crate) struct Compiling {
    compiler: Compiler,
    turns: Turns,
    refusals: Refusals,
    clock: SystemClock,
    off: CallOff,
    /// Whether code counts its fuel.
    metered: bool,
    cache: Option<Cache>,
    /// Of the engine that the code is for.
    engine: [u8; 32],
}

/// A component, and what is over once it was looked at.
#[derive(Debug)]
pub(crate) struct Made<'a> {
    pub(crate) component: Component,
    /// For [`Compiling::keep`], if it is worth it.
    pub(crate) fresh: Option<Fresh>,
    /// Held until it is known what becomes of it: those that wait with the same bytes then find them kept or refused.
    pub(crate) turn: Option<Turn<'a>>,
}

/// Code that the cache does not have.
#[derive(Debug)]
pub(crate) struct Fresh(Entry, Code);

impl Compiling {
    pub(crate) fn new(options: &Options, engine: &Engine) -> Result<Self, Error> {
        let cache = options.cache.as_ref().map(Cache::open).transpose()?;
        let off = CallOff::new().map_err(|error| Error::Compiler(error.to_string()))?;
        let (compiler, metered) = (options.compiler.clone(), options.fuel.is_some());
        let (turns, refusals, clock) = (Turns::default(), Refusals::default(), SystemClock::default());
        Ok(Self { compiler, turns, refusals, clock, off, metered, cache, engine: engines::hash(engine) })
    }

    /// Kills the worker, if there is one, and starts no more.
    pub(crate) fn call_off(&self) {
        self.off.now();
    }

    /// A component from the cache or, if it has none, from the compiler, for whose turn it waits so long (none: for as long
    /// as it takes).
    pub(crate) fn component(
        &self,
        engine: &Engine,
        digest: Digest,
        bytes: &[u8],
        patience: Option<Duration>,
    ) -> Result<Made<'_>, Error> {
        let entry = Entry { component: digest, engine: self.engine };
        let known = || {
            self.refusals.check(digest, self.clock.monotonic())?;
            Ok::<_, Error>(self.cached(engine, &entry))
        };
        if let Some(component) = known()? {
            return Ok(Made { component, fresh: None, turn: None });
        }
        let mut turn = None;
        if matches!(self.compiler, Compiler::Worker(_)) {
            turn = Some(self.turns.take(patience)?);
            // Whoever had the turn before may have had the same bytes.
            if let Some(component) = known()? {
                return Ok(Made { component, fresh: None, turn: None });
            }
        }
        let made = self.compile(engine, entry, bytes);
        let (component, fresh) = made.inspect_err(|why| self.refuse(digest, why))?;
        Ok(Made { component, fresh, turn })
    }

    /// Remembers that a component was refused, so that the same bytes are not compiled for it again.
    pub(crate) fn refuse(&self, component: Digest, why: &Error) {
        self.refusals.note(component, why, self.clock.monotonic());
    }

    fn compile(&self, engine: &Engine, entry: Entry, bytes: &[u8]) -> Result<(Component, Option<Fresh>), Error> {
        let invalid = |error: wasmtime::Error| Error::Invalid(format!("{error:#}"));
        let code = match &self.compiler {
            Compiler::InProcess if self.cache.is_none() => {
                return Component::from_binary(engine, bytes).map(|component| (component, None)).map_err(invalid);
            }
            Compiler::InProcess => Code::here(engine, bytes).map_err(invalid)?,
            Compiler::Worker(worker) => worker::compile(worker, &self.off, self.metered, &self.engine, bytes)?,
        };
        // More parts or memory than the pool has room for shows here.
        let component = code.component(engine).map_err(invalid)?;
        Ok((component, self.cache.is_some().then_some(Fresh(entry, code))))
    }

    fn cached(&self, engine: &Engine, entry: &Entry) -> Option<Component> {
        let cache = self.cache.as_ref()?;
        let code = cache.get(entry)?;
        let component = code.component(engine);
        if let Err(error) = &component {
            // It was ours once: another build of wasmtime that names itself alike, or another bound of the pool.
            tracing::warn!(component = %entry.component, error = format!("{error:#}"), "kept code does not fit");
            cache.remove(entry);
        }
        component.ok()
    }

    /// Removes code from the cache, if it is there.
    pub(crate) fn forget(&self, component: Digest) {
        if let Some(cache) = &self.cache {
            cache.remove(&Entry { component, engine: self.engine });
        }
    }

    /// Keeps code for the next start. What can't be kept is compiled again then.
    pub(crate) fn keep(&self, fresh: Option<Fresh>) {
        if let (Some(cache), Some(Fresh(entry, code))) = (&self.cache, fresh) {
            cache.keep(&entry, &code);
        }
    }
}
