//! From what a guest says to what the domain accepts: every value is checked here, and refused in words.

use tidegate_core::{EffectId, Refusal, RunName, Step, TargetName, Timestamp, Why, limits};

use crate::guest::Stop;

/// Keys, runs or checkpoints in one answer.
pub(crate) const PAGE: u32 = 256;

fn invalid(message: impl std::fmt::Display) -> Stop {
    Stop::Refused(Refusal::new(Why::Invalid, message.to_string()))
}

/// A run's name.
pub(crate) fn run(name: String) -> Result<RunName, Stop> {
    RunName::try_from(name).map_err(invalid)
}

/// A step.
pub(crate) fn step(step: u64) -> Result<Step, Stop> {
    Step::try_from(step).map_err(invalid)
}

/// A target's name.
pub(crate) fn target(name: String) -> Result<TargetName, Stop> {
    TargetName::try_from(name).map_err(invalid)
}

/// A reason: 1 to 512 bytes, no control characters, since it ends on terminals.
pub(crate) fn reason(reason: String) -> Result<String, Stop> {
    if reason.is_empty() || reason.len() > limits::REASON_BYTES {
        return Err(invalid(format_args!("a reason has 1 to 512 bytes, this one has {}", reason.len())));
    }
    if reason.chars().any(char::is_control) {
        return Err(invalid("a reason has no control characters"));
    }
    Ok(reason)
}

/// A priority: 0 to 9.
pub(crate) fn priority(priority: u8) -> Result<u8, Stop> {
    if priority > 9 { Err(invalid(format_args!("a priority is 0 to 9, not {priority}"))) } else { Ok(priority) }
}

/// How many items an answer may have: 1 to 256.
pub(crate) fn limit(limit: u32) -> Result<u32, Stop> {
    let ok = (1..=PAGE).contains(&limit);
    if ok { Ok(limit) } else { Err(invalid(format_args!("a limit is 1 to {PAGE}, not {limit}"))) }
}

/// A state key: 1 to 256 bytes.
pub(crate) fn key(key: &str) -> Result<&str, Stop> {
    let ok = (1..=limits::STATE_KEY_BYTES).contains(&key.len());
    if ok { Ok(key) } else { Err(invalid(format_args!("a key has 1 to 256 bytes, this one has {}", key.len()))) }
}

/// The start of state keys: 0 to 256 bytes.
pub(crate) fn prefix(prefix: &str) -> Result<&str, Stop> {
    if prefix.len() > limits::STATE_KEY_BYTES { Err(invalid("a prefix has at most 256 bytes")) } else { Ok(prefix) }
}

/// A state value: at most 64 KiB.
pub(crate) fn value(value: Vec<u8>) -> Result<Vec<u8>, Stop> {
    let got = value.len();
    let ok = got <= limits::STATE_VALUE_BYTES;
    if ok { Ok(value) } else { Err(invalid(format_args!("a value has at most 65536 bytes, this one has {got}"))) }
}

/// A time to be woken at: at most 400 days after `now`.
pub(crate) fn ahead(time: Timestamp, now: Timestamp) -> Result<Timestamp, Stop> {
    let ok = time.0 <= now.0.saturating_add(limits::WAKE_AHEAD);
    if ok { Ok(time) } else { Err(invalid("a bot is woken at most 400 days ahead")) }
}

/// A time after which a job gives up: not before it may start.
pub(crate) fn until(deadline: Option<u64>, not_before: Timestamp) -> Result<Option<Timestamp>, Stop> {
    match deadline.map(Timestamp) {
        Some(deadline) if deadline < not_before => Err(invalid("the deadline is before `not-before`")),
        deadline => Ok(deadline),
    }
}

/// Bytes a second: 64 KiB or more.
pub(crate) fn rate(rate: Option<u64>) -> Result<Option<u64>, Stop> {
    match rate {
        Some(rate) if rate < limits::RATE_BYTES => {
            Err(invalid(format_args!("a rate is {} bytes a second or more, not {rate}", limits::RATE_BYTES)))
        }
        rate => Ok(rate),
    }
}

/// The name of an encoding. Only raw bytes so far.
pub(crate) fn encoding(encoding: Option<&str>) -> Result<(), Stop> {
    match encoding {
        None | Some("raw") => Ok(()),
        Some(other) => Err(invalid(format_args!("this host knows the encoding `raw`, not {:?}", shortened(other, 32)))),
    }
}

/// The id of an effect.
pub(crate) fn effect(id: String) -> Result<EffectId, Stop> {
    EffectId::try_from(id).map_err(invalid)
}

/// Steps of a plan: 1 to 256.
pub(crate) fn steps(steps: Vec<u64>) -> Result<Vec<Step>, Stop> {
    if steps.is_empty() || steps.len() > PAGE as usize {
        return Err(invalid(format_args!("a plan has 1 to {PAGE} steps, not {}", steps.len())));
    }
    steps.into_iter().map(step).collect()
}

/// The name of a number: 1 to 64 of `a-z 0-9 _`, starting with a letter.
pub(crate) fn metric(name: &str) -> Result<&str, Stop> {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    let good = name.bytes().all(plain) && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.len() <= 64;
    if good { Ok(name) } else { Err(invalid("a metric's name is 1 to 64 of a-z 0-9 _, starting with a letter")) }
}

/// A number that can be shown and summed.
pub(crate) fn finite(value: f64) -> Result<f64, Stop> {
    if value.is_finite() { Ok(value) } else { Err(invalid(format_args!("a metric is a finite number, not {value}"))) }
}

/// What a number that only grows grows by.
pub(crate) fn grown(by: f64) -> Result<f64, Stop> {
    if by.is_finite() && by >= 0.0 {
        Ok(by)
    } else {
        Err(invalid(format_args!("a metric grows by 0 or more, not {by}")))
    }
}

/// How many bytes are drawn: 1 to 4096.
pub(crate) fn drawn(count: u32) -> Result<usize, Stop> {
    let ok = (1..=limits::RANDOM_BYTES).contains(&count);
    if ok { Ok(count as usize) } else { Err(invalid(format_args!("1 to 4096 bytes are drawn, not {count}"))) }
}

/// The text, cut to at most `most` bytes between characters; what is cut shows as `…`.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(most.saturating_sub('…'.len_utf8()));
    format!("{}…", text.get(..end).unwrap_or_default())
}

/// The text without control characters, which could rewrite an operator's terminal, in at most `most` bytes.
pub(crate) fn printable(text: &str, most: usize) -> String {
    // Cut before replacing, so that a long text costs no more than a short one; and after, since replacing grows.
    let plain: String = shortened(text, most).chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    shortened(&plain, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_never_longer_than_its_bound() {
        for most in 3..12 {
            let cut = shortened("aäöü€€€€", most);
            assert!(cut.len() <= most && (cut.ends_with('…')), "{most}: {cut}");
        }
        assert_eq!(shortened("short", 5), "short");
    }

    #[test]
    fn bounds_are_inclusive() {
        assert!(reason("r".repeat(512)).is_ok() && reason("r".repeat(513)).is_err() && reason(String::new()).is_err());
        assert!(reason("\u{1b}[2J".into()).is_err());
        assert!(priority(9).is_ok() && priority(10).is_err());
        assert!(limit(1).is_ok() && limit(256).is_ok() && limit(0).is_err() && limit(257).is_err());
        assert!(key("").is_err() && key(&"k".repeat(256)).is_ok() && key(&"k".repeat(257)).is_err());
        assert!(value(vec![0; 65536]).is_ok() && value(vec![0; 65537]).is_err());
        assert!(target("t".repeat(128)).is_ok() && target("t".repeat(129)).is_err());
        let now = Timestamp(5);
        assert!(ahead(Timestamp(0), now).is_ok() && ahead(Timestamp(5 + limits::WAKE_AHEAD), now).is_ok());
        assert!(ahead(Timestamp(6 + limits::WAKE_AHEAD), now).is_err() && ahead(Timestamp(u64::MAX), now).is_err());
        assert!(drawn(0).is_err() && drawn(1).is_ok() && drawn(4096).is_ok() && drawn(4097).is_err());
        assert!(step(1_000_000_000_000_000).is_ok() && step(1_000_000_000_000_001).is_err());
    }
}
