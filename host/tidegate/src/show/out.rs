use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use crate::exit::Failure;

/// Standard output: for people, or JSON for programs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Out {
    pub(crate) json: bool,
}

impl Out {
    /// The one result of a command.
    pub(crate) fn value(self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.json {
            let json = serde_json::to_string_pretty(value).map_err(anyhow::Error::from)?;
            return print(&json);
        }
        print(&text())
    }

    /// One of a stream of results.
    pub(crate) fn line(self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.json {
            return print(&serde_json::to_string(value).map_err(anyhow::Error::from)?);
        }
        print(&text())
    }
}

/// Prints a text and ends its last line. A reader that has gone (`| head`) ends the command, quietly.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    match write!(out, "{text}{end}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        done => Ok(done?),
    }
}

/// A size for people, such as `1.50 GiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

/// RFC 3339 to the second, for people.
pub(crate) fn moment(time: &str) -> String {
    time.chars().take(19).collect::<String>().replace('T', " ")
}

/// All fields of a value, one a line; lists of lines below each other.
pub(crate) fn fields(value: &impl Serialize) -> String {
    let Ok(Value::Object(fields)) = serde_json::to_value(value) else { return String::new() };
    let width = fields.keys().map(String::len).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in &fields {
        let shown = match value {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            Value::Array(lines) if lines.iter().all(Value::is_string) => {
                let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
                lines.join(&format!("\n{:width$}  ", ""))
            }
            other => other.to_string(),
        };
        text += &format!("{name:width$}  {shown}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_for_people() {
        assert_eq!(bytes(3 << 29), "1.50 GiB");
        assert_eq!(moment("2026-11-16T01:02:03.000004Z"), "2026-11-16 01:02:03");
        let value = serde_json::json!({ "name": "b", "log": ["one", "two"], "last_fault": null });
        assert_eq!(fields(&value), "last_fault  -\nlog         one\n            two\nname        b\n");
    }
}
