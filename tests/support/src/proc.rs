//! Child processes that die with the test: when the guard is dropped, and also when the test itself is killed.
//!
//! The kernel's parent-death signal does the second. It is sent when the *thread* that started the child ends, so one
//! thread that never ends starts them all; and it is set by `setpriv` of util-linux, which needs no unsafe code of ours.
//! Where there is no `setpriv`, only the guard's drop remains.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        OnceLock,
        mpsc::{self, Sender, SyncSender},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::wait;

/// A command that, once started by [`Guard::spawn`], is killed with this process. Arguments and the rest are the caller's to add.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    if !has_setpriv() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// Sends what the command writes to the end of the file at `path`.
///
/// # Errors
/// When the file cannot be opened.
pub fn log_to(command: &mut Command, path: &Path) -> Result<()> {
    let file = File::options().create(true).append(true).open(path);
    let file = file.with_context(|| format!("open the log {}", path.display()))?;
    command.stdout(file.try_clone()?).stderr(file);
    Ok(())
}

/// A running child, alone in its process group. Dropping it kills the group.
#[derive(Debug)]
pub struct Guard {
    child: Child,
}

impl Guard {
    /// Starts the command in a process group of its own, without standard input.
    ///
    /// # Errors
    /// When the program cannot be started. With `setpriv` in between, a missing program is a child that ends with 127.
    pub fn spawn(mut command: Command) -> Result<Self> {
        command.process_group(0).stdin(Stdio::null());
        let text = format!("{command:?}");
        let (reply, answer) = mpsc::sync_channel(1);
        starter().send((command, reply)).map_err(|_| anyhow!("the thread that starts processes is gone"))?;
        let child = answer.recv().context("the thread that starts processes is gone")?;
        Ok(Self { child: child.with_context(|| format!("start {text}"))? })
    }

    /// The child's process id, which is also its group's.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, or nothing while it runs.
    ///
    /// # Errors
    /// When the system cannot say.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("wait for a child")
    }

    /// SIGKILL to the whole group, and waits until the child is gone. Does nothing if it is gone already.
    ///
    /// # Errors
    /// When the system cannot say that it is gone.
    pub fn kill9(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.try_wait()? {
            return Ok(status);
        }
        self.signal(Signal::KILL);
        self.child.wait().context("wait for a killed child")
    }

    /// SIGTERM, and waits; after `deadline` SIGKILL.
    ///
    /// # Errors
    /// When it did not end in time; it is gone all the same.
    pub fn terminate(&mut self, deadline: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM);
        let ended = wait::until("a child to end after SIGTERM", deadline, || self.try_wait());
        if ended.is_err() {
            self.kill9()?;
        }
        ended
    }

    /// SIGSTOP: it stays there and does nothing, as a hung process does.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT after [`Guard::pause`].
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// A group that is gone needs no signal.
    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(pid, signal);
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // There is no one to tell, and the parent-death signal stands behind.
        let _ = self.kill9();
    }
}

/// The most memory that a process has used until now, in bytes; nothing if the system does not say.
#[must_use]
pub fn peak_memory(pid: u32) -> Option<u64> {
    status_bytes(pid, "VmHWM:")
}

/// The memory that a process uses now, in bytes; nothing if the system does not say.
#[must_use]
pub fn memory(pid: u32) -> Option<u64> {
    status_bytes(pid, "VmRSS:")
}

fn status_bytes(pid: u32, field: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

type Order = (Command, SyncSender<io::Result<Child>>);

/// The thread that starts every child and lives as long as the process.
fn starter() -> &'static Sender<Order> {
    static STARTER: OnceLock<Sender<Order>> = OnceLock::new();
    STARTER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in inbox {
                // Whoever asked may have given up; then the child has no guard and must not live.
                if let Err(mpsc::SendError(Ok(mut child))) = reply.send(command.spawn()) {
                    let _ = child.kill().and_then(|()| child.wait());
                }
            }
        });
        orders
    })
}

fn has_setpriv() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| {
        let mut trial = Command::new("setpriv");
        trial.args(["--pdeathsig", "KILL", "--", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
        trial.status().is_ok_and(|s| s.success())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Not gone, and not a zombie either: `pid (name) STATE ...`.
    fn alive(pid: u32) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
    }

    fn sleeper() -> Guard {
        let mut sleep = command("sleep");
        sleep.arg("600");
        Guard::spawn(sleep).unwrap()
    }

    #[test]
    fn a_dropped_guard_leaves_no_process() {
        let guard = sleeper();
        let pid = guard.pid();
        assert!(alive(pid));
        drop(guard);
        assert!(!alive(pid));
    }

    #[test]
    fn a_child_outlives_the_thread_that_asked_for_it() {
        let mut guard = thread::spawn(sleeper).join().unwrap();
        assert!(guard.try_wait().unwrap().is_none());
        assert!(alive(guard.pid()));
    }

    #[test]
    fn a_child_dies_with_a_parent_that_is_killed() {
        if !has_setpriv() {
            return;
        }
        // The parent is a shell that starts a sleeper as `command` would and says its id.
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let mut shell = command("sh");
        shell.args(["-c", "setpriv --pdeathsig KILL -- setsid sleep 600 & echo $!; wait"]);
        log_to(&mut shell, &log).unwrap();
        let mut parent = Guard::spawn(shell).unwrap();
        let pid = wait::until("the child's id", Duration::from_secs(30), || {
            Ok(std::fs::read_to_string(&log)?.trim().parse::<u32>().ok())
        });
        let pid = pid.unwrap();
        wait::until("the child to run sleep", Duration::from_secs(30), || {
            Ok(std::fs::read(format!("/proc/{pid}/cmdline"))?.starts_with(b"sleep").then_some(()))
        })
        .unwrap();
        parent.kill9().unwrap();
        wait::until("the child's end", Duration::from_secs(30), || Ok((!alive(pid)).then_some(()))).unwrap();
    }

    #[test]
    fn a_polite_end_gives_the_status() {
        let mut shell = command("sh");
        shell.args(["-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done"]);
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        log_to(&mut shell, &log).unwrap();
        let mut guard = Guard::spawn(shell).unwrap();
        let ready = || Ok(std::fs::read_to_string(&log)?.contains("ready").then_some(()));
        wait::until("the trap", Duration::from_secs(30), ready).unwrap();
        assert_eq!(guard.terminate(Duration::from_secs(30)).unwrap().code(), Some(7));
    }
}
