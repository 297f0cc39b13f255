use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use tidegate_core::{Clock, Code, Event, HostName, Seq};
use tidegate_replica::Target;
use tidegate_sandbox::Sandbox;
use tidegate_store::Store;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Error, Result, bots::Bots, discover::Discovered, error::blocking, health::Probe, jobs::Queue, readers::Readers,
    restores::Restores,
};

/// How a host is set up, beside the parts it is given.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its name.
    pub name: HostName,
    /// Where uploaded components are kept.
    pub plugins: PathBuf,
    /// Tiers that must hold a verified copy before safe prune lets the last one go; with 2 it is replicated first.
    pub wanted_copies: u32,
    /// Directories of the host's own, such as its tier and a target of files: no restore lands inside.
    pub private: Vec<PathBuf>,
    /// Copies to object storage at once. Default = 2.
    pub uploads: usize,
    /// Copies that may be kept as differences from one anchor, where the target's layout allows it. Default = 16.
    pub deltas: u32,
    /// How long running work may go on once the host is told to stop. Default = 20 s.
    pub drain: Duration,
}

/// One host. Cheap to clone; all clones are the same host.
#[derive(Debug, Clone)]
pub struct Host(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Arc<Store>,
    pub(crate) target: Arc<Target>,
    pub(crate) sandbox: Sandbox,
    pub(crate) readers: Readers,
    pub(crate) queue: Arc<Queue>,
    pub(crate) restores: Restores,
    pub(crate) bots: Bots,
    pub(crate) discovered: Discovered,
    /// Jobs that operators asked for since the start.
    pub(crate) asked: AtomicU64,
    pub(crate) probe: Probe,
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the host is told to stop, before its requests are waited for: see [`Host::hurry`].
    pub(crate) hurried: CancellationToken,
    pub(crate) stopping: CancellationToken,
}

impl Host {
    /// Starts the loop: jobs that were accepted before go on, bots go on from their cursors. If the index is new, what
    /// object storage holds is taken into it first; if that takes long, while the host is at work already.
    ///
    /// # Errors
    /// Records that can't be read. An object store that does not answer is no error: it is asked until it does.
    pub async fn start(
        options: Options,
        clock: Arc<dyn Clock>,
        store: Arc<Store>,
        target: Arc<Target>,
        sandbox: Sandbox,
    ) -> Result<Self> {
        let host = Self::assemble(options, clock, store, target, sandbox)?;
        let sweeping = host.clone();
        blocking(move || sweeping.sweep_partials()).await?;
        let proving = host.0.target.clone();
        // What the server can be trusted with is tried out once: nobody is to wait for that later.
        host.spawn(async move {
            if let Err(error) = proving.probe().await {
                tracing::warn!(%error, "object storage could not be tried out yet; it is before the first copy");
            }
        });
        host.discover_at_start().await;
        host.start_bots().await?;
        host.spawn(crate::jobs::run(host.clone()));
        host.spawn(crate::bots::wake(host.clone()));
        host.spawn(crate::bots::restart(host.clone()));
        host.spawn(reap(host.clone()));
        host.spawn(crate::maintain::run(host.clone()));
        Ok(host)
    }

    /// The parts put together, and nothing at work yet.
    pub(crate) fn assemble(
        options: Options,
        clock: Arc<dyn Clock>,
        store: Arc<Store>,
        target: Arc<Target>,
        sandbox: Sandbox,
    ) -> Result<Self> {
        std::fs::create_dir_all(&options.plugins)
            .map_err(|e| Error::new(Code::Internal, format!("create {}: {e}", options.plugins.display())))?;
        crate::bots::sweep(&options.plugins);
        let queue = Arc::new(Queue::load(&store)?);
        Ok(Self(Arc::new(Inner {
            options,
            clock,
            store,
            target,
            sandbox,
            readers: Readers::default(),
            queue,
            restores: Restores::default(),
            bots: Bots::default(),
            discovered: Discovered::default(),
            asked: AtomicU64::new(0),
            probe: Probe::default(),
            tasks: TaskTracker::new(),
            hurried: CancellationToken::new(),
            stopping: CancellationToken::new(),
        })))
    }

    /// Runs until the host stops.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.0.stopping.clone();
        self.0.tasks.spawn(async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = work => {}
            }
        });
    }

    /// Events after a place, in order. Waits for one if there is none, at most `wait`.
    ///
    /// # Errors
    /// An index that can't be read.
    pub async fn events(&self, after: Seq, limit: usize, wait: Duration) -> Result<Vec<Event>> {
        let mut head = self.0.store.index().head();
        let stopping = self.0.stopping.cancelled();
        let arrived = async { head.wait_for(|head| *head > after).await.is_ok() };
        tokio::select! {
            _ = tokio::time::timeout(wait, arrived) => {}
            () = stopping => {}
        }
        let store = self.0.store.clone();
        blocking(move || store.index().view().events(after, limit)).await
    }

    /// Completes when the index has failed to sync: the process must end, and what is durable is found at the next start.
    pub async fn broken(&self) {
        let mut broken = self.0.store.index().broken();
        if broken.wait_for(|broken| *broken).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Ends what can't be called off otherwise, such as the making of digests of a large shard that a request waits for, or
    /// a trial, which answers what it has. Call it when the host is told to stop, before its requests are waited for.
    pub fn hurry(&self) {
        self.0.hurried.cancel();
        self.0.store.end_sealing();
        self.0.sandbox.stop_compiling();
    }

    /// Stops: no new work begins, running copies and restores are called off after a deadline and resumed or asked for
    /// again after the next start. Everything acknowledged is durable already.
    pub async fn drain(&self) {
        self.0.stopping.cancel();
        // A copy or a restore may be making digests of a large shard on a thread that can't be called off otherwise.
        self.hurry();
        self.0.tasks.close();
        if tokio::time::timeout(self.0.options.drain, self.0.tasks.wait()).await.is_err() {
            tracing::warn!("some work did not stop in time; it is taken up again after the next start");
        }
    }

    pub(crate) fn check_running(&self) -> Result<()> {
        if self.0.stopping.is_cancelled() {
            return Err(Error::new(Code::Draining, "the host is stopping"));
        }
        Ok(())
    }
}

/// Removes abandoned saves and restores, about every second.
async fn reap(host: Host) {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        host.reap_restores();
        let store = host.0.store.clone();
        if let Err(error) = blocking(move || store.reap()).await {
            tracing::error!(%error, "abandoned saves could not be removed");
        }
    }
}
