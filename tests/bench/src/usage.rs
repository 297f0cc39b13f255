//! What a process took: time on the clock, and of the processors.

use std::{
    fs,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, ensure};

/// Seconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Took {
    /// On the clock.
    pub(crate) wall: f64,
    /// Of processors, user and system.
    pub(crate) cpu: f64,
}

/// Runs a program from its start to its end, which must be a good one.
pub(crate) fn run(mut command: Command) -> Result<Took> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let (cpu, started) = (of_children()?, Instant::now());
    let output = command.spawn().with_context(|| format!("start {program}"))?.wait_with_output()?;
    let (wall, said) = (started.elapsed().as_secs_f64(), String::from_utf8_lossy(&output.stderr).into_owned());
    ensure!(output.status.success(), "{program} ended with {}: {said}", output.status);
    Ok(Took { wall, cpu: of_children()? - cpu })
}

/// Seconds of processors that a running process has used until now.
pub(crate) fn of(pid: u32) -> Result<f64> {
    ticks(&format!("/proc/{pid}/stat"), 11)
}

/// Seconds of processors that all children used which have ended.
fn of_children() -> Result<f64> {
    ticks("/proc/self/stat", 13)
}

/// Two fields of a process's state, user and system time, which Linux counts in hundredths.
fn ticks(path: &str, at: usize) -> Result<f64> {
    let stat = fs::read_to_string(path).with_context(|| path.to_owned())?;
    // The name may hold spaces; it ends with the last parenthesis.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().skip(at).take(2);
    Ok(fields.map(str::parse::<f64>).sum::<Result<f64, _>>()? / 100.0)
}
