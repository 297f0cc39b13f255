//! The bounds that `wit/` states beside each type, in the host's order and with its refusal: `invalid`.

use super::Effect;
use crate::{Refusal, replication::Request};

/// The largest step.
const STEP: u64 = 1_000_000_000_000_000;
/// The lowest rate that a copy can be held to, bytes a second.
const RATE: u64 = 64 << 10;
/// How long ahead a bot can ask to be woken, nanoseconds: 400 days.
const AHEAD: u64 = 400 * 24 * 3600 * 1_000_000_000;
/// Keys, runs or checkpoints in one answer.
pub(super) const PAGE: usize = 256;

fn bound(good: bool, said: impl FnOnce() -> String) -> Result<(), Refusal> {
    if good { Ok(()) } else { Err(Refusal::Invalid(said())) }
}

/// What an effect says, before anything is looked up.
pub(super) fn effect(effect: &Effect) -> Result<(), Refusal> {
    if let Effect::Replicate(Request { target, encoding, not_before, deadline, rate, priority, .. }) = effect {
        let known = encoding.as_deref().is_none_or(|it| it == "raw");
        bound(known, || format!("this host knows the encoding `raw`, not {encoding:?}"))?;
        name(target)?;
        bound(deadline.is_none_or(|it| it >= *not_before), || "the deadline is before `not-before`".into())?;
        bound(rate.is_none_or(|it| it >= RATE), || format!("a rate is {RATE} bytes a second or more, not {rate:?}"))?;
        bound(*priority <= 9, || format!("a priority is 0 to 9, not {priority}"))?;
    }
    name(effect.run())?;
    step(effect.step())?;
    reason(effect.reason())
}

/// The name of a run or a target.
pub(super) fn name(name: &str) -> Result<(), Refusal> {
    let plain = name.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c));
    let good = plain && (1..=128).contains(&name.len()) && !name.starts_with(['.', '-']);
    bound(good, || format!("a name is 1 to 128 of A-Z a-z 0-9 . _ -, not starting with . or -: {name:?}"))
}

/// A step.
pub(super) fn step(step: u64) -> Result<(), Refusal> {
    bound(step <= STEP, || format!("a step is 0 to {STEP}, not {step}"))
}

/// A reason.
pub(super) fn reason(reason: &str) -> Result<(), Refusal> {
    let good = (1..=512).contains(&reason.len()) && !reason.chars().any(char::is_control);
    bound(good, || format!("a reason has 1 to 512 bytes and no control characters: {reason:?}"))
}

/// A key of the state, or one to be woken under.
pub(super) fn key(key: &str) -> Result<(), Refusal> {
    bound((1..=256).contains(&key.len()), || format!("a key has 1 to 256 bytes, this one has {}", key.len()))
}

/// The start of keys.
pub(super) fn prefix(prefix: &str) -> Result<(), Refusal> {
    bound(prefix.len() <= 256, || "a prefix has at most 256 bytes".into())
}

/// The id of an effect.
pub(super) fn id(id: &str) -> Result<(), Refusal> {
    let good = id.len() == 32 && id.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    bound(good, || format!("an effect's id is 32 lower-case hexadecimal digits: {id:?}"))
}

/// How many items an answer may have, or a plan steps.
pub(super) fn count(what: &str, count: usize) -> Result<(), Refusal> {
    bound((1..=PAGE).contains(&count), || format!("{what} is 1 to {PAGE}, not {count}"))
}

/// A time to be woken at.
pub(super) fn ahead(time: u64, now: u64) -> Result<(), Refusal> {
    bound(time <= now.saturating_add(AHEAD), || "a bot is woken at most 400 days ahead".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Request {
        Request { not_before: 5, ..Request::new("gpt", 1, "default", "why") }
    }

    fn class(request: Request) -> &'static str {
        effect(&Effect::Replicate(request)).map_or_else(|refusal| refusal.class(), |()| "ok")
    }

    #[test]
    fn what_a_copy_says_is_within_its_bounds() {
        let long = |length: usize| "r".repeat(length);
        for request in [
            good(),
            Request { deadline: Some(5), rate: Some(RATE), priority: 9, encoding: Some("raw".into()), ..good() },
            Request { run: long(128), target: long(128), step: STEP, reason: long(512), ..good() },
        ] {
            assert_eq!(class(request.clone()), "ok", "{request:?}");
        }
        for request in [
            Request { deadline: Some(4), ..good() },
            Request { rate: Some(RATE - 1), ..good() },
            Request { priority: 10, ..good() },
            Request { encoding: Some("zstd".into()), ..good() },
            Request { run: long(129), ..good() },
            Request { run: "../gpt".into(), ..good() },
            Request { target: String::new(), ..good() },
            Request { step: STEP + 1, ..good() },
            Request { reason: long(513), ..good() },
            Request { reason: "\u{1b}[2J".into(), ..good() },
            Request { reason: String::new(), ..good() },
        ] {
            assert_eq!(class(request.clone()), "invalid", "{request:?}");
        }
    }

    #[test]
    fn the_bounds_are_those_of_the_host() {
        use tidegate_core::{EffectId, RunName, Step, limits};
        assert_eq!((STEP, RATE, AHEAD), (limits::STEP, limits::RATE_BYTES, limits::WAKE_AHEAD));
        for it in ["gpt", "a.b_c-D", ".hidden", "-rf", "", "a/b", "ä", "a b", &"n".repeat(128), &"n".repeat(129)] {
            assert_eq!(name(it).is_ok(), it.parse::<RunName>().is_ok(), "{it:?}");
        }
        for it in ["0123456789abcdef0123456789abcdef", "0123456789ABCDEF0123456789abcdef", "12", ""] {
            assert_eq!(id(it).is_ok(), EffectId::try_from(it.to_owned()).is_ok(), "{it:?}");
        }
        for it in [0, STEP, STEP + 1] {
            assert_eq!(step(it).is_ok(), Step::try_from(it).is_ok(), "{it}");
        }
    }
}
