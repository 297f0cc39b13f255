use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::PoisonError,
    time::Duration,
};

use bytes::Bytes;
use tidegate_core::{Code, Digest};
use tidegate_sandbox::Plugin;

use super::PluginInfo;
use crate::{Error, Host, Result, error::blocking};

/// How long an upload waits while components of others are compiled: somebody waits for it, and those may take minutes. A bot
/// that starts waits for as long as it takes.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn path_of(dir: &Path, digest: Digest) -> PathBuf {
    dir.join(format!("{digest}.wasm"))
}

pub(super) fn unknown(digest: Digest) -> Error {
    Error::new(Code::UnknownPlugin, format!("plugin {digest} was not uploaded"))
}

/// Why a component was not accepted, or could not be looked at now.
fn bad(error: tidegate_sandbox::Error) -> Error {
    let code = match &error {
        tidegate_sandbox::Error::CompilerBusy(_) | tidegate_sandbox::Error::CompilerTaken(_) => Code::TooMany,
        tidegate_sandbox::Error::CompilerStopped => Code::Draining,
        error if error.blames_component() => Code::BadComponent,
        _ => Code::Internal,
    };
    Error::new(code, error.to_string())
}

pub(super) fn failed(what: &str, path: &Path, error: &std::io::Error) -> Error {
    let code = if error.kind() == std::io::ErrorKind::StorageFull { Code::NoSpace } else { Code::Internal };
    Error::new(code, format!("could not {what} {}: {error}", path.display()))
}

/// Removes what uploads left that a crash cut short. What stays takes room and does no harm: no start fails for it.
pub(crate) fn sweep(dir: &Path) {
    for path in fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "tmp")
            && let Err(error) = fs::remove_file(&path)
        {
            tracing::warn!(%error, path = %path.display(), "what an upload left could not be removed");
        }
    }
}

impl Host {
    /// Keeps a component, once it was checked that a bot could run it. Durable when this returns; the same component
    /// again is no error.
    ///
    /// # Errors
    /// [`Code::BadComponent`] with what is wrong.
    pub async fn add_plugin(&self, component: Bytes) -> Result<PluginInfo> {
        let added = self.keep_plugin(component).await?;
        // Those that wait for it.
        let waiting: Vec<_> = self.0.bots.stopped().keys().cloned().collect();
        waiting.into_iter().for_each(|name| self.0.bots.restart(name));
        Ok(added)
    }

    async fn keep_plugin(&self, component: Bytes) -> Result<PluginInfo> {
        let host = self.clone();
        blocking(move || {
            let dir = &host.0.options.plugins;
            let kept = path_of(dir, Digest::of(&component));
            if fs::read(&kept).is_ok_and(|bytes| bytes == component) {
                // Checked when it came; to compile it again would double the time of every start.
                return Ok(describe(Digest::of(&component), &component));
            }
            let (digest, to) = (Digest::of(&component), kept);
            // Each upload has its own: two of one component at once must not write into one another's.
            let nth = host.0.asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let temporary = to.with_extension(format!("{nth}.tmp"));
            // Written before it is compiled: compiled code must not take the room that the component lacks then.
            let write = |file: &mut File| file.write_all(&component).and_then(|()| file.sync_all());
            let written = File::create(&temporary).and_then(|mut file| write(&mut file));
            let kept = written
                .map_err(|e| failed("write", &temporary, &e))
                .and_then(|()| host.0.sandbox.load_within(&component, PATIENCE).map_err(bad))
                .and_then(|_| fs::rename(&temporary, &to).map_err(|e| failed("rename", &temporary, &e)));
            if kept.is_err() {
                let _ = fs::remove_file(&temporary);
            }
            kept?;
            File::open(dir).and_then(|dir| dir.sync_all()).map_err(|e| failed("sync", dir, &e))?;
            Ok::<_, Error>(describe(digest, &component))
        })
        .await
    }

    /// The components that are kept, by digest.
    ///
    /// # Errors
    /// A directory that can't be read.
    pub async fn plugins(&self) -> Result<Vec<PluginInfo>> {
        let (host, dir) = (self.clone(), self.0.options.plugins.clone());
        blocking(move || {
            let mut plugins = Vec::new();
            for entry in fs::read_dir(&dir).map_err(|e| failed("list", &dir, &e))?.flatten() {
                let name = entry.file_name();
                let digest = name.to_str().and_then(|name| name.strip_suffix(".wasm")).and_then(|hex| hex.parse().ok());
                if let Some(plugin) = digest.and_then(|digest| host.described(digest, &entry.path())) {
                    plugins.push(plugin);
                }
            }
            plugins.sort_by_key(|plugin| plugin.digest);
            Ok::<_, Error>(plugins)
        })
        .await
    }

    /// A kept component, compiled. Bytes that are read are checked against their name.
    pub(super) fn load_plugin(&self, digest: Digest) -> Result<Plugin> {
        let path = path_of(&self.0.options.plugins, digest);
        // One that was removed must not come back out of memory: the next start would not find it.
        if let Some(plugin) = self.0.bots.compiled(digest).filter(|_| path.is_file()) {
            return Ok(plugin);
        }
        let component = match fs::read(&path) {
            Ok(component) => component,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(unknown(digest));
            }
            Err(error) => return Err(failed("read", &path, &error)),
        };
        if Digest::of(&component) != digest {
            return Err(Error::new(
                Code::DamagedPlugin,
                format!("{} is damaged: upload the plugin again", path.display()),
            ));
        }
        self.compile(digest, &component)
    }

    /// Checks and compiles a component, unless that was done lately.
    fn compile(&self, digest: Digest, component: &[u8]) -> Result<Plugin> {
        if let Some(plugin) = self.0.bots.compiled(digest) {
            return Ok(plugin);
        }
        let plugin = self.0.sandbox.load(component).map_err(bad)?;
        self.0.bots.keep_compiled(plugin.clone());
        Ok(plugin)
    }
}

impl Host {
    /// What a stored component says of itself. Each is read once: it may be large, and whoever may look can ask for a
    /// listing. None if it is gone.
    fn described(&self, digest: Digest, path: &Path) -> Option<PluginInfo> {
        let described = || self.0.bots.described.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = described().get(&digest) {
            return path.is_file().then(|| known.clone());
        }
        let plugin = describe(digest, &fs::read(path).ok()?);
        described().insert(digest, plugin.clone());
        Some(plugin)
    }
}

/// A manifest that can't be read was accepted by an earlier version of the host; it says nothing to this one.
fn describe(digest: Digest, component: &[u8]) -> PluginInfo {
    let manifest = tidegate_sandbox::manifest(component).ok().flatten();
    PluginInfo { digest, bytes: component.len() as u64, manifest }
}
