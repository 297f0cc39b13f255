//! Running programs: captured, with a deadline, each line passed on as it comes.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use crate::Error;

/// How many lines of a failed program's output an error carries.
const TAIL_LINES: usize = 60;

/// What a program wrote and how it ended.
#[derive(Debug)]
pub(crate) struct Output {
    /// Standard output, whole.
    pub(crate) stdout: String,
    /// Did it end with 0?
    pub(crate) success: bool,
    outcome: String,
    tail: VecDeque<String>,
    command: String,
}

impl Output {
    /// Standard output, or the error that says what failed and what was written last.
    pub(crate) fn ok(self) -> Result<String, Error> {
        if self.success { Ok(self.stdout) } else { Err(self.into_error()) }
    }

    fn into_error(self) -> Error {
        let output = Vec::from(self.tail).join("\n");
        Error::Command { command: self.command, outcome: self.outcome, output }
    }
}

/// Runs a short program to its end.
pub(crate) fn run(command: &mut Command) -> Result<Output, Error> {
    run_with(command, None, &mut |_| {})
}

/// Runs a program; `on_line` sees each line of its standard error while it runs. Without output for `patience` it is
/// killed and counts as failed.
pub(crate) fn run_with(
    command: &mut Command,
    patience: Option<Duration>,
    on_line: crate::Progress<'_>,
) -> Result<Output, Error> {
    let text = describe(command);
    let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = started.map_err(|e| Error::Command {
        command: text.clone(),
        outcome: format!("could not be started: {e}"),
        output: String::new(),
    })?;

    let mut stdout = child.stdout.take();
    let stdout = thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = stdout.as_mut() {
            // A pipe that breaks gives a short text; the exit status tells the rest.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let (lines, arriving) = mpsc::channel();
    if let Some(pipe) = child.stderr.take() {
        thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                if lines.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
            }
        });
    }

    let mut tail = VecDeque::new();
    let mut late = false;
    loop {
        let next = match patience {
            Some(limit) => arriving.recv_timeout(limit),
            None => arriving.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match next {
            Ok(line) => {
                on_line(&line);
                if tail.len() == TAIL_LINES {
                    tail.pop_front();
                }
                tail.push_back(line);
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                late = true;
                let _ = child.kill();
                break;
            }
        }
    }
    let status = child.wait().map_err(|e| Error::Command {
        command: text.clone(),
        outcome: format!("could not be waited for: {e}"),
        output: String::new(),
    })?;
    let outcome = match (late, patience) {
        (true, Some(limit)) => format!("was silent for {} s and was stopped", limit.as_secs()),
        _ => format!("ended with {status}"),
    };
    Ok(Output {
        stdout: stdout.join().unwrap_or_default(),
        success: status.success() && !late,
        outcome,
        tail,
        command: text,
    })
}

/// The command as a person would type it, without its environment.
fn describe(command: &Command) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    command.get_args().fold(program, |text, arg| text + " " + &arg.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn the_output_comes_back_and_the_lines_are_seen_on_the_way() {
        let mut seen = Vec::new();
        let output = run_with(&mut sh("echo out; echo err >&2"), None, &mut |l| seen.push(l.to_owned())).unwrap();
        assert_eq!(output.ok().unwrap(), "out\n");
        assert_eq!(seen, ["err"]);
    }

    #[test]
    fn a_failure_says_the_command_the_status_and_the_last_words() {
        let error = run(&mut sh("echo no such luck >&2; exit 3")).unwrap().ok().unwrap_err().to_string();
        assert!(error.contains("sh -c") && error.contains("3") && error.contains("no such luck"), "{error}");
    }

    #[test]
    fn a_silent_program_is_stopped() {
        let output = run_with(&mut sh("exec sleep 600"), Some(Duration::from_millis(50)), &mut |_| {}).unwrap();
        assert!(output.ok().unwrap_err().to_string().contains("was silent"));
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = run(&mut Command::new("no-such-program-here")).unwrap_err().to_string();
        assert!(error.contains("no-such-program-here"), "{error}");
    }
}
