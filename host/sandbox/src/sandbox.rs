//! The sandbox itself: an engine, the world's functions, and what keeps time.

use std::{fmt, sync::Arc, time::Duration};

use tidegate_core::{Digest, Want};
use wasmtime::{
    Engine,
    component::{Component, Linker},
};

use crate::{
    About, Error, Options, Plugin,
    compile::{Compiling, Fresh, Made},
    engine,
    guest::Guest,
    manifest,
    permits::Permits,
    room,
    ticker::Ticker,
    world, worlds,
};

/// Runs bots. Cheap to clone; all clones share one pool.
#[derive(Clone)]
pub struct Sandbox(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) options: Options,
    pub(crate) ticker: Ticker,
    pub(crate) permits: Permits,
    linker: Linker<Guest>,
    /// With WASI, for components that import it.
    roomy: Linker<Guest>,
    compiling: Compiling,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("options", &self.0.options).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// A sandbox of this size. Reserves address space for the whole pool at once, and no memory yet.
    ///
    /// # Errors
    /// [`Error::Engine`] if the options contradict each other or the address space is not to be had, [`Error::Cache`] for a
    /// cache that can't be used.
    pub fn new(options: Options) -> Result<Self, Error> {
        let failed = |error: &dyn fmt::Display| Error::Engine(error.to_string());
        let engine = engine::build(&options)?;
        let mut linker = Linker::new(&engine);
        worlds::link(&mut linker).map_err(|e| failed(&e))?;
        let mut roomy = linker.clone();
        room::link(&mut roomy).map_err(|e| failed(&e))?;
        let ticker = Ticker::start(engine.weak(), options.tick).map_err(|e| failed(&e))?;
        let permits = Permits::new(options.instances);
        let compiling = Compiling::new(&options, &engine)?;
        Ok(Self(Arc::new(Inner { engine, options, ticker, permits, linker, roomy, compiling })))
    }

    /// Checks and compiles a component, or takes it from the cache. Nothing of it runs. Blocks for some tens of
    /// milliseconds for a small one, a few from the cache; with a worker for at most its deadline, and for those of
    /// others that wait.
    ///
    /// # Errors
    /// Bytes that are too many, no component, for another version of the world, wanting more than the world has, or
    /// taking too long or too much to compile; each says which. [`Error::blames_component`] tells them from the host's
    /// own troubles.
    pub fn load(&self, bytes: &[u8]) -> Result<Plugin, Error> {
        self.load_as_it_says(bytes, None).map_err(Error::plain)
    }

    /// The same, but it waits only so long for those of others: for what somebody waits for.
    ///
    /// # Errors
    /// As [`Sandbox::load`]; [`Error::CompilerTaken`] if others took longer.
    pub fn load_within(&self, bytes: &[u8], patience: Duration) -> Result<Plugin, Error> {
        self.load_as_it_says(bytes, Some(patience)).map_err(Error::plain)
    }

    /// Its errors repeat what the component says as it stands there.
    fn load_as_it_says(&self, bytes: &[u8], patience: Option<Duration>) -> Result<Plugin, Error> {
        let inner = &self.0;
        world::check_header(bytes, inner.options.component_bytes)?;
        let digest = Digest::of(bytes);
        let Made { component, fresh, turn } = inner.compiling.component(&inner.engine, digest, bytes, patience)?;
        let checked = self.checked(digest, bytes, &component, fresh);
        let checked = checked.inspect_err(|why| inner.compiling.refuse(digest, why));
        drop(turn);
        checked
    }

    fn checked(
        &self,
        digest: Digest,
        bytes: &[u8],
        component: &Component,
        fresh: Option<Fresh>,
    ) -> Result<Plugin, Error> {
        let inner = &self.0;
        let checked = world::check(component)?;
        let used = checked.used;
        let manifest = manifest::read(bytes)?;
        let undeclared =
            manifest.as_ref().map(|manifest| manifest.undeclared(used.iter().copied())).unwrap_or_default();
        if let Some(manifest) = &manifest {
            world::check_worlds(&manifest.worlds, checked.world)?;
        }
        if !undeclared.is_empty() {
            return Err(Error::Undeclared(undeclared));
        }
        let linker = if used.contains(&Want::Wasi) { &inner.roomy } else { &inner.linker };
        let ready = linker.instantiate_pre(component).and_then(|pre| checked.world.ready(pre));
        let ready = ready.map_err(|error| Error::World(format!("{error:#}")))?;
        // What is refused is not worth the room.
        inner.compiling.keep(fresh);
        let (world, migrates) = (checked.world.name(), checked.migrates);
        let about = About { digest, manifest, imports: checked.imports, used, world, migrates };
        Ok(Plugin::new(self.clone(), ready, Arc::new(about)))
    }

    /// Removes what was compiled of a component from the cache, for this engine. One that is loaded goes on.
    pub fn forget(&self, component: Digest) {
        self.0.compiling.forget(component);
    }

    /// Kills the worker that compiles, if there is one; no further one is started. For the end of a host, whose threads
    /// may wait in [`Sandbox::load`]. What is cached still loads.
    pub fn stop_compiling(&self) {
        self.0.compiling.call_off();
    }
}
