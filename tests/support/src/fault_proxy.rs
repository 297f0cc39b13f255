//! A proxy between an S3 client and its server that injects the faults that a plan asks for.
//!
//! It speaks HTTP/1.1 on a free loopback port and passes everything on unchanged, the `Host` header too: S3 signatures
//! cover it, and the server checks them against what the client sent. Each request goes to the server on a connection
//! of its own. It knows no TLS and no HTTP/2.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use tidegate_tests_support::fault_proxy::{Fault, FaultPlan, FaultProxy, Rule, When};
//! # let server = "127.0.0.1:8333".parse()?;
//! let plan = FaultPlan::new(42)
//!     .rule(Rule::new(Fault::SlowDown { retry_after: None }, When::Probability(0.1)))
//!     .rule(Rule::new(Fault::ResetBeforeResponse, When::Nth(3)).method("PUT").target("uploadId="));
//! let proxy = FaultProxy::start(server, plan)?;
//! println!("give {} to the client", proxy.endpoint());
//! println!("injected: {}", proxy.counts());
//! # Ok(()) }
//! ```

mod body;
mod exchange;
mod head;
mod plan;

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result};
use tokio::{runtime, sync::oneshot};

use self::plan::Decider;
pub use self::plan::{Counts, Fault, FaultPlan, Rule, When};

/// A running proxy. Dropping it closes every connection and frees the port.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    decider: Shared,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FaultProxy {
    /// Starts a proxy before the server at `upstream`, on a thread and a runtime of its own.
    ///
    /// # Errors
    /// When no loopback port can be bound.
    pub fn start(upstream: SocketAddr, plan: FaultPlan) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("bind a port for the fault proxy")?;
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let decider = Shared(Arc::new(Mutex::new(Decider::new(plan))));
        let (stop, stopped) = oneshot::channel();
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = decider.clone();
        let thread = thread::Builder::new().name("fault-proxy".to_owned()).spawn(move || {
            let serve = exchange::serve(listener, upstream, shared);
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = serve => {}
                }
            });
        })?;
        Ok(Self { address, decider, stop: Some(stop), thread: Some(thread) })
    }

    /// What the client takes for the server: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Replaces the plan for the requests that arrive from now on. The counts go on.
    pub fn set_plan(&self, plan: FaultPlan) {
        self.decider.with(|d| d.replace(plan));
    }

    /// What was injected until now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.decider.with(|d| d.counts.clone())
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        // The runtime ends with its thread, and every connection with the runtime.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The plan's state, shared by the connections.
#[derive(Clone, Debug)]
struct Shared(Arc<Mutex<Decider>>);

impl Shared {
    fn with<T>(&self, f: impl FnOnce(&mut Decider) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
