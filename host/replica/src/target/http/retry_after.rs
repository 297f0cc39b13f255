//! What a server says of when it wants to hear of us again.

use std::time::Duration;

use object_store::client::HttpResponse;

use crate::budget::Outcome;

/// What an answer tells of the server's load.
pub(super) fn outcome(answer: &HttpResponse) -> Outcome {
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    match answer.status().as_u16() {
        429 | 503 => Outcome::Throttled(header("retry-after").and_then(|after| pause(after, header("date")))),
        _ => Outcome::Answered,
    }
}

/// Seconds, or a time by the server's own clock, which it tells in the same answer.
fn pause(after: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = after.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(after.trim()).ok()?;
    let now = httpdate::parse_http_date(date?.trim()).ok()?;
    Some(until.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_nonsense_is_not() {
        let now = Some("Wed, 21 Oct 2015 07:28:00 GMT");
        assert_eq!(pause("7", None), Some(Duration::from_secs(7)));
        assert_eq!(pause("Wed, 21 Oct 2015 07:28:30 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(pause("Wed, 21 Oct 2015 07:27:30 GMT", now), Some(Duration::ZERO));
        assert_eq!(pause("Wed, 21 Oct 2015 07:28:30 GMT", None), None);
        for nonsense in ["", "-1", "soon", "1.5"] {
            assert_eq!(pause(nonsense, now), None);
        }
    }
}
