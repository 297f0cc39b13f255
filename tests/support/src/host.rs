//! The `tidegate` binary as a child process: started on a folder, asked over its socket, killed and started again.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use serde::de::DeserializeOwned;

use crate::{
    http::{Request, Response},
    proc, wait,
};

/// How long a start may take, recovery included.
const START: Duration = Duration::from_secs(60);

/// How to start a host.
#[derive(Clone, Debug)]
pub struct Options {
    dir: PathBuf,
    binary: Option<PathBuf>,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
}

impl Options {
    /// `tidegate dev` with everything below `dir`, on a loopback port of the kernel's choice.
    #[must_use]
    pub fn dev(dir: &Path) -> Self {
        Self { dir: dir.into(), binary: None, args: Vec::new(), env: Vec::new() }.arg("--listen").arg("127.0.0.1:0")
    }

    /// Another binary than [`binary`] finds.
    #[must_use]
    pub fn with_binary(mut self, path: &Path) -> Self {
        self.binary = Some(path.into());
        self
    }

    /// The object tier's URL.
    #[must_use]
    pub fn object(self, url: &str) -> Self {
        self.arg("--object").arg(url)
    }

    /// One more argument of `dev`.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// One more variable of the environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// More variables of the environment, as [`SeaweedFs::env`](crate::seaweed::SeaweedFs::env) gives them.
    #[must_use]
    pub fn envs<K: Into<OsString>, V: Into<OsString>>(self, variables: impl IntoIterator<Item = (K, V)>) -> Self {
        variables.into_iter().fold(self, |options, (name, value)| options.env(name, value))
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// When there is no binary, or it does not get ready; the error holds the end of its log.
    pub fn start(self) -> Result<TidegateProcess> {
        let binary = self.binary.clone().map_or_else(binary, Ok)?;
        let mut host = TidegateProcess { options: self, binary, process: None };
        host.restart()?;
        Ok(host)
    }
}

/// A running host, or one that was killed and can be started again. Dropping it kills the process; the folder stays.
#[derive(Debug)]
pub struct TidegateProcess {
    options: Options,
    binary: PathBuf,
    process: Option<proc::Guard>,
}

impl TidegateProcess {
    /// The folder of the host.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.options.dir
    }

    /// Its socket. A path of more than 107 bytes is too long for one: keep the folder's name short.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.options.dir.join("tidegate.sock")
    }

    /// The file that holds all that it wrote, of every start. It lies beside the folder, which a test may delete.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.options.dir.with_extension("log")
    }

    /// The process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(proc::Guard::pid)
    }

    /// Other arguments and variables from the next start on.
    pub fn options(&mut self) -> &mut Options {
        &mut self.options
    }

    /// Starts it, after a SIGKILL if it runs, and waits until `/readyz` says so.
    ///
    /// # Errors
    /// When it does not get ready; the error holds the end of its log.
    pub fn restart(&mut self) -> Result<()> {
        self.launch()?;
        let ready = self.wait_ready();
        ready.with_context(|| format!("the host in {}: {}", self.dir().display(), self.log_tail()))
    }

    /// Starts it, after a SIGKILL if it runs, and does not wait for anything.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn launch(&mut self) -> Result<()> {
        self.kill9()?;
        let Options { dir, args, env, .. } = &self.options;
        fs::create_dir_all(dir)?;
        let mut command = proc::command(&self.binary);
        command.arg("dev").arg("--dir").arg(dir).args(args).envs(env.iter().map(|(k, v)| (k, v)));
        proc::log_to(&mut command, &self.log())?;
        self.process = Some(proc::Guard::spawn(command)?);
        Ok(())
    }

    /// SIGKILL, as a crash of the machine's software. Nothing happens if it does not run.
    ///
    /// # Errors
    /// When the system cannot say that it is gone.
    pub fn kill9(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.kill9().map(drop))
    }

    /// SIGTERM, and how it ended.
    ///
    /// # Errors
    /// When it does not run, or does not end in time.
    pub fn stop(&mut self, deadline: Duration) -> Result<ExitStatus> {
        let mut process = self.process.take().context("the host does not run")?;
        process.terminate(deadline)
    }

    /// Did it end by itself? Then how.
    ///
    /// # Errors
    /// When the system cannot say.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        self.process.as_mut().map_or(Ok(None), proc::Guard::try_wait)
    }

    /// One request over the socket.
    ///
    /// # Errors
    /// When there is no answer. An answer of any status is none.
    pub fn send(&self, request: &Request<'_>) -> Result<Response> {
        request.over_unix(&self.socket())
    }

    /// GET, which must succeed, as JSON.
    ///
    /// # Errors
    /// When there is no answer, its status is not 2xx, or it is not JSON.
    pub fn get(&self, path: &str) -> Result<serde_json::Value> {
        let response = self.send(&Request::new("GET", path))?;
        ensure!((200..300).contains(&response.status), "GET {path}: {} {}", response.status, response.text());
        response.json()
    }

    /// [`TidegateProcess::get`] as a value of the wire's types.
    ///
    /// # Errors
    /// As there, or when the answer is another value.
    pub fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        serde_json::from_value(self.get(path)?).with_context(|| format!("the answer to GET {path}"))
    }

    /// The last lines of the log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = fs::read(self.log()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines.get(lines.len().saturating_sub(40)..).unwrap_or_default().join("\n")
    }

    fn wait_ready(&mut self) -> Result<()> {
        let socket = self.socket();
        wait::until("/readyz", START, || {
            if let Some(status) = self.try_wait()? {
                bail!("it ended with {status}");
            }
            let ready = Request::new("GET", "/readyz").over_unix(&socket);
            Ok(ready.is_ok_and(|r| r.status == 200).then_some(()))
        })
    }
}

/// `$TIDEGATE_BIN`, else the binary of the build that the running test belongs to.
///
/// # Errors
/// When there is none yet.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = env::var_os("TIDEGATE_BIN") {
        return Ok(path.into());
    }
    // Tests run from target/<profile>/deps, binaries and examples from beside it.
    let own = env::current_exe()?;
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join("tidegate")).find(|path| path.is_file());
    found.context("there is no tidegate binary: `cargo build -p tidegate` makes it, or set TIDEGATE_BIN")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_host_that_ends_at_once_is_an_error_with_its_last_words() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("tidegate");
        fs::write(&script, "#!/bin/sh\necho \"no room for $1 $2\"\nexit 9\n").unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let error = Options::dev(&dir.path().join("host")).with_binary(&script).start().unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("no room for dev --dir") && text.contains("exit status: 9"), "{text}");
    }
}
