//! Spreading many hosts in time, without chance.

use std::time::Duration;

/// A wait from zero to just below `most`: evenly spread over hosts and keys, always the same for the same two. With the
/// checkpoint as the key, hosts that finish together do not all upload together, and each is first in its turn.
///
/// ```
/// use std::time::Duration;
/// use tidegate_sdk::jitter;
/// let wait = |host| jitter(host, "gpt/100", Duration::from_secs(10));
/// assert!(wait("host-1") < Duration::from_secs(10));
/// assert_eq!(wait("host-1"), wait("host-1"));
/// assert_ne!(wait("host-1"), wait("host-2"));
/// ```
pub fn jitter(host: &str, key: &str, most: Duration) -> Duration {
    // FNV-1a over both, then the finaliser of splitmix64, which spreads the last bytes over all bits.
    let bytes = host.bytes().chain([0xff]).chain(key.bytes());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let nanos = (u128::from(mixed(hash)) * most.as_nanos()) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// The finaliser of splitmix64.
pub(crate) fn mixed(hash: u64) -> u64 {
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_host_and_key_wait_the_same_and_others_do_not() {
        let most = Duration::from_secs(2);
        assert_eq!(jitter("a", "gpt/100", most), jitter("a", "gpt/100", most));
        assert_ne!(jitter("a", "gpt/100", most), jitter("b", "gpt/100", most));
        assert_ne!(jitter("a", "gpt/100", most), jitter("a", "gpt/101", most));
        assert_eq!(jitter("a", "k", Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn hosts_spread_evenly_over_the_wait() {
        let mut tenths = [0; 10];
        for host in 0..10_000 {
            let wait = jitter(&format!("host-{host}"), "gpt/100", Duration::from_secs(10));
            tenths[wait.as_secs() as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (850..1150).contains(count)), "{tenths:?}");
    }
}
