//! How an error repeats what somebody gave: never whole, since a value may have any length, and never as it stands, since
//! it ends on terminals.

use std::fmt;

/// Characters of a value that are repeated.
pub const QUOTED_CHARS: usize = 80;
/// Bytes of a parser's message that are passed on: most repeat the value that they do not like.
pub const TOLD_BYTES: usize = 512;

/// A value as an error shows it: see [`quoted`].
#[derive(Debug, Clone, Copy)]
pub struct Quoted<'a>(&'a str);

/// A value in quotes, escaped as in Rust, cut to its first [`QUOTED_CHARS`] characters; what was cut is told by its whole
/// length.
///
/// ```
/// assert_eq!(tidegate_core::quoted("a\tb").to_string(), r#""a\tb""#);
/// let long = "x".repeat(100_000);
/// assert_eq!(tidegate_core::quoted(&long).to_string(), format!("\"{}…\" (100000 bytes)", "x".repeat(80)));
/// ```
pub fn quoted(value: &str) -> Quoted<'_> {
    Quoted(value)
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(QUOTED_CHARS) {
            None => write!(f, "{:?}", self.0),
            Some((end, _)) => {
                let kept = format!("{:?}", self.0.get(..end).unwrap_or_default());
                write!(f, "{}…\" ({} bytes)", kept.strip_suffix('"').unwrap_or(&kept), self.0.len())
            }
        }
    }
}

/// A parser's message without control characters, in at most [`TOLD_BYTES`]: of a longer one the middle is left out, where
/// it repeats a value; what was expected instead stands at its end.
pub fn told(message: &str) -> String {
    const GAP: &str = " … ";
    let each = (TOLD_BYTES - GAP.len()) / 2;
    let plain = |text: &str| -> String { text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect() };
    if message.len() <= TOLD_BYTES {
        return plain(message);
    }
    let start = message.get(..message.floor_char_boundary(each)).unwrap_or_default();
    let end = message.get(message.ceil_char_boundary(message.len() - each)..).unwrap_or_default();
    format!("{}{GAP}{}", plain(start), plain(end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_short_value_is_shown_whole_and_escaped() {
        assert_eq!(quoted("").to_string(), r#""""#);
        assert_eq!(quoted("\u{1b}[2J\"").to_string(), r#""\u{1b}[2J\"""#);
        assert_eq!(quoted(&"ä".repeat(80)).to_string(), format!("\"{}\"", "ä".repeat(80)));
    }

    #[test]
    fn of_a_long_message_the_start_and_the_end_are_told() {
        let message = told(&format!("invalid type: string \"{}\", expected a list", "x".repeat(100_000)));
        assert!(message.starts_with("invalid type: string") && message.ends_with("expected a list"), "{message}");
        assert_eq!(told("a\r\nb"), "a  b");
    }

    proptest! {
        #[test]
        fn nothing_that_is_repeated_is_long_or_moves_a_terminal(value in "(?s).{0,900}") {
            let (shown, said) = (quoted(&value).to_string(), told(&value));
            prop_assert!(shown.len() <= QUOTED_CHARS * 10 + 32);
            prop_assert!(said.len() <= TOLD_BYTES.max(value.len().min(TOLD_BYTES)), "{}", said.len());
            prop_assert!(!shown.contains(char::is_control) && !said.contains(char::is_control));
        }
    }
}
