use chrono::{DateTime, SecondsFormat};
use tidegate_core::Timestamp;

/// RFC 3339 in UTC, to the microsecond.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    let nanos = i64::try_from(time.0).unwrap_or(i64::MAX);
    DateTime::from_timestamp_nanos(nanos).to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_in_utc() {
        assert_eq!(rfc3339(Timestamp(1_794_787_200_123_456_789)), "2026-11-16T00:00:00.123456Z");
        assert_eq!(rfc3339(Timestamp(0)), "1970-01-01T00:00:00.000000Z");
        assert!(rfc3339(Timestamp(u64::MAX)).starts_with("2262-"));
    }
}
