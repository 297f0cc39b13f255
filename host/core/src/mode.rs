//! How far a bot's decisions are carried out.

use serde::{Deserialize, Serialize};

use crate::{BotName, RunName};

/// What becomes of a bot's effects. Its state, its metrics and the times it is woken at are its own and kept in every mode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// They are carried out.
    #[default]
    Enforce,
    /// They are carried out for some runs, and only recorded for the others.
    Canary {
        /// Runs of a hundred, chosen by the names of bot and run: 0 to 100.
        percent: u8,
    },
    /// They are only recorded.
    Shadow,
}

impl Mode {
    /// Whether this bot's effects on this run are carried out. The same bot and run always get the same answer, and a run
    /// that a share covers is covered by every larger one.
    pub fn carries_out(self, bot: &BotName, run: &RunName) -> bool {
        let percent = match self {
            Self::Enforce => return true,
            Self::Shadow => return false,
            Self::Canary { percent } => u64::from(percent.min(100)),
        };
        let hash = blake3::derive_key("tidegate 2026-11 canary share v1", format!("{bot}\0{run}").as_bytes());
        let [a, b, c, d, e, f, g, h, ..] = hash;
        u64::from_le_bytes([a, b, c, d, e, f, g, h]) % 100 < percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_has_about_its_share_of_runs_and_a_larger_share_keeps_them() {
        let bot: BotName = "b".parse().unwrap();
        let runs: Vec<RunName> = (0..2_000).map(|nth| format!("run-{nth}").parse().unwrap()).collect();
        let covered = |percent| -> Vec<&RunName> {
            runs.iter().filter(|run| Mode::Canary { percent }.carries_out(&bot, run)).collect()
        };
        assert!((340..460).contains(&covered(20).len()), "{}", covered(20).len());
        assert!(covered(20).iter().all(|run| covered(30).contains(run)));
        assert_eq!((covered(0).len(), covered(100).len()), (0, 2_000));
        assert!(Mode::Enforce.carries_out(&bot, &runs[0]) && !Mode::Shadow.carries_out(&bot, &runs[0]));
    }
}
