use std::{net::SocketAddr, path::PathBuf, pin::pin, time::Duration};

use anyhow::{Context, anyhow};
use tidegate_core::BotName;
use tidegate_server::{Listen, Server};

use super::{bots, signals};
use crate::{config::Config, exit::Failure, host::Existing, wiring};

/// A host that takes requests now.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) socket: PathBuf,
    /// The loopback address, if there is one.
    pub(crate) address: Option<SocketAddr>,
    pub(crate) bots: Vec<BotName>,
    /// What is not as it was asked for.
    pub(crate) notes: Vec<String>,
}

/// What differs between `dev` and `run`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// A TCP port that is taken is replaced by a free one.
    pub(crate) any_port: bool,
    /// See [`Existing`].
    pub(crate) bots: Existing,
}

/// For threads that block when everything else has ended.
const LAST: Duration = Duration::from_secs(2);

/// Runs a host until Ctrl-C, SIGTERM, or an index that can't be synced. `announce` is called when it takes requests.
pub(crate) fn live(
    config: &Config,
    manner: Manner,
    announce: impl FnOnce(&Running) -> Result<(), Failure>,
) -> Result<(), Failure> {
    // Checkpoints are nobody else's, on NVMe, in a target of files, and where they are restored.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.host.workers)
        .thread_name("tidegate")
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(run(config, manner, announce));
    // A thread that can't be called off must not keep the process: what it does is done again after the next start.
    runtime.shutdown_timeout(LAST);
    outcome
}

async fn run(
    config: &Config,
    manner: Manner,
    announce: impl FnOnce(&Running) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let stop = signals::watch()?;
    let mut notes = Vec::new();
    // The sockets come first: while they are open, no other host takes the directory for abandoned.
    let server = bind(config, manner.any_port, &mut notes).await?;
    let Some(host) = stop.run_until_cancelled(wiring::start(config)).await else { return Err(Failure::Interrupted) };
    let host = host.context("the host could not be started")?;
    let (installed, missing) = bots::install(&host, &config.bots, manner.bots).await;
    notes.extend(missing);
    let socket = server.socket().map_or_else(|| config.socket(), PathBuf::from);
    announce(&Running { socket, address: server.address(), bots: installed, notes })?;
    let (hurried, told) = (host.clone(), stop.clone());
    tokio::spawn(async move {
        told.cancelled().await;
        hurried.hurry();
    });
    let mut served = pin!(server.serve(host.clone(), stop.clone()));
    let outcome = tokio::select! {
        () = &mut served => Ok(()),
        () = host.broken() => {
            // Whoever waits for a commit is told that there will be none.
            stop.cancel();
            served.await;
            Err(anyhow!("the index could not be synced: the host ends, and recovers at its next start"))
        }
    };
    stop.cancel();
    host.drain().await;
    tracing::info!("stopped");
    Ok(outcome?)
}

/// As many open files as this user may have: connections, files of saves and restores, and the index share them, and the
/// usual soft limit of 1024 is for programs that use `select`. What can't be raised is not.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!(%error, ?current, "the limit of open files could not be raised");
    }
}

async fn bind(config: &Config, any_port: bool, notes: &mut Vec<String>) -> Result<Server, Failure> {
    let dir = &config.host.dir;
    let made = !dir.exists();
    std::fs::create_dir_all(dir).with_context(|| format!("can't make the host's directory {}", dir.display()))?;
    if made {
        // The way to the socket, whose own mode says who may use it, and to saves and restores of other users.
        std::fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o711))
            .with_context(|| format!("can't set the mode of {}", dir.display()))?;
    }
    let mut listen = Listen { socket: Some(config.socket()), address: config.api.listen };
    let server = match (Server::bind(&listen).await, listen.address) {
        (Err(error), Some(mut address)) if any_port && error.port_taken() => {
            notes.push(format!("{address} is taken by somebody else; a free port is used"));
            address.set_port(0);
            listen.address = Some(address);
            Server::bind(&listen).await
        }
        (server, _) => server,
    };
    Ok(server.map_err(anyhow::Error::from)?)
}
