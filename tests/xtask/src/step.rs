//! A step of a long task: its name on the terminal, its output in a file, its time at the end.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// How many lines of a failed step's log are shown.
const TAIL: usize = 60;
/// How often a step that runs long says so where there is no terminal to show a spinner on.
const HEARTBEAT: Duration = Duration::from_secs(20);

/// A running step.
pub(crate) struct Step<'a> {
    name: &'a str,
    log: File,
    path: PathBuf,
    bar: ProgressBar,
    started: Instant,
    spoke: Instant,
}

/// What a program wrote, and whether it ended with 0.
pub(crate) struct Output {
    pub(crate) text: String,
    pub(crate) success: bool,
    status: String,
}

impl<'a> Step<'a> {
    /// Begins a step whose log goes to `<folder>/<name>.log`.
    pub(crate) fn begin(name: &'a str, position: &str, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{}.log", name.replace(' ', "-")));
        let log = File::create(&path).with_context(|| format!("create {}", path.display()))?;
        let bar =
            ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} {prefix} {wide_msg:.dim}")?);
        bar.set_prefix(format!("{position} {name}"));
        bar.enable_steady_tick(Duration::from_millis(200));
        if bar.is_hidden() {
            eprintln!("{position} {name} ...");
        }
        Ok(Self { name, log, path, bar, started: Instant::now(), spoke: Instant::now() })
    }

    /// Writes a line to the log and shows it as what the step does now.
    pub(crate) fn say(&mut self, line: &str) {
        // A full disk makes the step fail by itself; a log is not worth failing for.
        let _ = writeln!(self.log, "{line}");
        self.bar.set_message(line.trim().to_owned());
        if self.bar.is_hidden() && self.spoke.elapsed() >= HEARTBEAT {
            self.spoke = Instant::now();
            eprintln!("    {} s: {}", self.started.elapsed().as_secs(), line.trim());
        }
    }

    /// Runs a program with its output in the log.
    pub(crate) fn run(&mut self, mut command: Command) -> Result<Output> {
        self.say(&format!("$ {}", describe(&command)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("start `{}`", describe(&command)))?;
        let (lines, arriving) = mpsc::channel();
        forward(child.stdout.take(), lines.clone());
        forward(child.stderr.take(), lines);
        let mut text = String::new();
        let mut last = String::new();
        loop {
            match arriving.recv_timeout(HEARTBEAT) {
                Ok(line) => {
                    self.say(&line);
                    text.push_str(&line);
                    text.push('\n');
                    last = line;
                }
                // A linker can be silent for long; the reader should still see that something happens.
                Err(RecvTimeoutError::Timeout) if self.bar.is_hidden() => {
                    eprintln!("    {} s: {}", self.started.elapsed().as_secs(), last.trim());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let status = child.wait()?;
        Ok(Output { text, success: status.success(), status: status.to_string() })
    }

    /// Runs a program that must end with 0 and returns what it wrote.
    pub(crate) fn must(&mut self, command: Command) -> Result<String> {
        let text = describe(&command);
        let output = self.run(command)?;
        if !output.success {
            bail!("`{text}` ended with {}", output.status);
        }
        Ok(output.text)
    }

    /// Ends the step with a word on how it went, and with the end of its log if it failed.
    pub(crate) fn end(self, outcome: &str, error: Option<&anyhow::Error>) {
        self.bar.finish_and_clear();
        eprintln!("{outcome:>7}  {} ({:.1} s)", self.name, self.started.elapsed().as_secs_f64());
        let Some(error) = error else { return };
        let log = fs::read(&self.path).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        for line in lines.get(lines.len().saturating_sub(TAIL)..).unwrap_or_default() {
            eprintln!("    | {line}");
        }
        eprintln!("    {error:#}\n    the whole log is {}", self.path.display());
    }
}

impl Output {
    /// An error if the program did not end with 0.
    pub(crate) fn check(&self, what: &str) -> Result<()> {
        if self.success { Ok(()) } else { bail!("{what} ended with {}", self.status) }
    }
}

/// Passes on each line of a pipe until it ends.
fn forward(pipe: Option<impl Read + Send + 'static>, lines: Sender<String>) {
    let Some(pipe) = pipe else { return };
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            if lines.send(line.trim_end_matches('\r').to_owned()).is_err() {
                return;
            }
        }
    });
}

/// The command as a person would type it; of the program only its name.
fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    command.get_args().fold(program, |text, arg| text + " " + &arg.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_is_in_the_log_and_a_failure_names_the_command() {
        let folder = tempfile::tempdir().unwrap();
        let mut step = Step::begin("a step", "1/1", folder.path()).unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let error = step.must(command).unwrap_err().to_string();
        assert!(error.contains("sh -c") && error.contains('3'), "{error}");
        let log = fs::read_to_string(folder.path().join("a-step.log")).unwrap();
        assert!(log.contains("out\n") && log.contains("err\n"), "{log}");
        step.end("ok", None);
    }
}
