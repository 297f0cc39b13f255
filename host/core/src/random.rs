//! Chance that repeats: what a bot draws while it handles an event.

use crate::{BotName, Seq};

/// A stream of bytes that a bot and an event determine.
pub struct RandomStream(blake3::OutputReader);

impl std::fmt::Debug for RandomStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RandomStream").field("position", &self.0.position()).finish()
    }
}

impl RandomStream {
    /// The stream of this bot for this event, from its start.
    pub fn new(bot: &BotName, event: Seq) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("tidegate 2026-11 random stream v1");
        hasher.update(bot.as_str().as_bytes()).update(&[0]).update(&event.to_be_bytes());
        Self(hasher.finalize_xof())
    }

    /// The next bytes.
    pub fn fill(&mut self, into: &mut [u8]) {
        self.0.fill(into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(bot: &str, event: Seq, pieces: &[usize]) -> Vec<u8> {
        let mut stream = RandomStream::new(&bot.parse().unwrap(), event);
        let mut bytes = Vec::new();
        for piece in pieces {
            let start = bytes.len();
            bytes.resize(start + piece, 0);
            stream.fill(bytes.get_mut(start..).unwrap());
        }
        bytes
    }

    #[test]
    fn the_same_event_draws_the_same_bytes_and_others_draw_others() {
        assert_eq!(drawn("a", 7, &[100]), drawn("a", 7, &[1, 60, 39]), "however they are asked for");
        assert_ne!(drawn("a", 7, &[16]), drawn("a", 8, &[16]));
        assert_ne!(drawn("a", 7, &[16]), drawn("b", 7, &[16]));
        // Fixed for ever: what was recorded replays.
        assert_eq!(drawn("a", 7, &[8]), RECORDED);
    }

    const RECORDED: [u8; 8] = [83, 58, 93, 120, 163, 94, 104, 138];
}
