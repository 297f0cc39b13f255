//! How far a bot's decisions are carried out.

use serde::{Deserialize, Serialize};

use crate::{BotName, InvalidName, RunName, object::object_only, quoted};

/// What becomes of a bot's effects. Its state, its metrics and the times it is woken at are its own and kept in every mode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", try_from = "Said")]
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

/// A mode as it is written down.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Said {
    Enforce,
    Canary(Share),
    Shadow,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
struct Share {
    percent: u64,
}

object_only!(Share, "an object with `percent`");

impl TryFrom<Said> for Mode {
    type Error = InvalidName;
    fn try_from(said: Said) -> Result<Self, InvalidName> {
        match said {
            Said::Enforce => Ok(Self::Enforce),
            Said::Shadow => Ok(Self::Shadow),
            Said::Canary(Share { percent }) => Self::canary(percent),
        }
    }
}

impl Mode {
    /// A canary of so many runs of a hundred.
    ///
    /// # Errors
    /// More than a hundred.
    pub fn canary(percent: u64) -> Result<Self, InvalidName> {
        let out = || InvalidName {
            what: "canary share",
            shown: quoted(&percent.to_string()).to_string(),
            rule: "give a whole number of percent from 0 to 100",
        };
        let percent = u8::try_from(percent).ok().filter(|percent| *percent <= 100);
        Ok(Self::Canary { percent: percent.ok_or_else(out)? })
    }

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
    fn a_share_is_0_to_100_of_a_hundred_in_an_object_of_its_own() {
        let read = |text: &str| serde_json::from_str::<Mode>(text).map_err(|error| error.to_string());
        for percent in [0, 100] {
            let mode = Mode::Canary { percent };
            assert_eq!(read(&serde_json::to_string(&mode).unwrap()), Ok(mode));
        }
        assert_eq!(read("\"shadow\""), Ok(Mode::Shadow));
        for (text, said) in [
            (r#"{"canary":{"percent":101}}"#, "0 to 100"),
            (r#"{"canary":{"percent":300}}"#, "0 to 100"),
            (r#"{"canary":{"percent":-1}}"#, "-1"),
            (r#"{"canary":{"percent":1.5}}"#, "1.5"),
            (r#"{"canary":{"percent":1,"of":2}}"#, "unknown field `of`"),
            (r#"{"canary":[10]}"#, "an object with `percent`"),
            (r#""canary""#, ""),
            (r#"{"loud":{}}"#, "loud"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

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
