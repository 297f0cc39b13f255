//! Lines that a bot writes for the operator, bounded.

use crate::bounds::printable;

/// Bytes of one line.
const LINE_BYTES: usize = 1024;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For who writes the bot.
    Debug,
    /// Good to know.
    Info,
    /// Should be looked at.
    Warn,
    /// Must be looked at.
    Error,
}

impl Level {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// A line: at most 1024 bytes, without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: Level,
    /// What it says.
    pub message: String,
}

/// The lines of one event.
#[derive(Debug)]
pub(crate) struct Logs {
    most: usize,
    /// What is kept: the first of them.
    pub(crate) lines: Vec<LogLine>,
    /// How many are not.
    pub(crate) dropped: u64,
}

impl Logs {
    /// So many lines are kept.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, lines: Vec::new(), dropped: 0 }
    }

    /// Takes a line, or counts it.
    pub(crate) fn push(&mut self, level: Level, message: &str) {
        if self.lines.len() >= self.most {
            self.dropped += 1;
            return;
        }
        self.lines.push(LogLine { level, message: printable(message, LINE_BYTES) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_cleaned_and_counted() {
        let mut logs = Logs::new(64);
        logs.push(Level::Info, "a\x1b[2Jb\n");
        assert_eq!(logs.lines[0].message, "a\u{fffd}[2Jb\u{fffd}");
        for _ in 0..100 {
            logs.push(Level::Warn, &"\n".repeat(5000));
        }
        assert_eq!((logs.lines.len(), logs.dropped), (64, 37));
        assert!(logs.lines.iter().all(|line| line.message.len() <= 1024));
    }
}
