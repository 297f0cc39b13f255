//! What bots and operators ask for.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{BotName, RunName, Seq, Step, TargetName, Tier, Timestamp};

/// Names an effect for ever: 32 lower-case hexadecimal digits. Derived, never drawn, so that a handler that runs again
/// on the same event names the same effects, and an effect is accepted once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EffectId(String);

impl EffectId {
    /// The id of a bot's effect.
    pub fn of_bot(bot: &BotName, event: Seq, ordinal: u32) -> Self {
        Self::derive(&format!("bot\0{bot}\0{event}\0{ordinal}"))
    }

    /// The id of an operator's request, from a seed that is drawn for it.
    pub fn of_operator(seed: u128) -> Self {
        Self::derive(&format!("operator\0{seed}"))
    }

    fn derive(from: &str) -> Self {
        let mut hex = blake3::derive_key("tidegate 2026-11 effect id v1", from.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>();
        hex.truncate(32);
        Self(hex)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for EffectId {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, &'static str> {
        let digits = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if text.len() == 32 && digits { Ok(Self(text)) } else { Err("an id is 32 lower-case hexadecimal digits") }
    }
}

impl FromStr for EffectId {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        Self::try_from(text.to_owned())
    }
}

impl From<EffectId> for String {
    fn from(id: EffectId) -> String {
        id.0
    }
}

impl fmt::Display for EffectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is asked of one checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// The run.
    pub run: RunName,
    /// The step.
    pub step: Step,
    /// What to do with it.
    #[serde(flatten)]
    pub kind: EffectKind,
    /// Why, in words for people.
    pub reason: String,
}

/// The deed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub enum EffectKind {
    /// Copy the local shards to a target and verify them there.
    Replicate {
        /// Where to.
        target: TargetName,
        /// Not before this time.
        not_before: Timestamp,
        /// Give up at this time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline: Option<Timestamp>,
        /// Bytes a second at most.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rate: Option<u64>,
        /// 0 (last) to 9 (first).
        priority: u8,
    },
    /// Delete its bytes from a tier.
    Prune {
        /// Which.
        tier: Tier,
    },
    /// Hold it against every prune.
    Pin,
    /// Take one's own pin back.
    Unpin,
}

/// What is done, without its parameters: the unit of grants and of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// See [`EffectKind::Replicate`].
    Replicate,
    /// See [`EffectKind::Prune`].
    Prune,
    /// See [`EffectKind::Pin`].
    Pin,
    /// See [`EffectKind::Unpin`].
    Unpin,
    /// To call an effect off.
    Cancel,
    /// To ask for a time to be woken at, or take it back.
    Wake,
}

impl Effect {
    /// Whether another does the same to the same checkpoint in the same place, whatever its reason.
    pub fn does_the_same(&self, other: &Self) -> bool {
        self.run == other.run && self.step == other.step && self.kind.same_place(&other.kind)
    }
}

impl EffectKind {
    /// Whether it is carried out by a job, and not with the handler's commit.
    pub fn is_job(&self) -> bool {
        matches!(self, Self::Replicate { .. } | Self::Prune { .. })
    }

    /// Whether another does the same to the same place: a copy to the same target, a prune of the same tier.
    pub fn same_place(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Replicate { target: a, .. }, Self::Replicate { target: b, .. }) => a == b,
            (Self::Prune { tier: a }, Self::Prune { tier: b }) => a == b,
            (Self::Pin, Self::Pin) | (Self::Unpin, Self::Unpin) => true,
            _ => false,
        }
    }

    /// What is done.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Replicate { .. } => Verb::Replicate,
            Self::Prune { .. } => Verb::Prune,
            Self::Pin => Verb::Pin,
            Self::Unpin => Verb::Unpin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retried_event_names_the_same_effects_and_no_others() {
        let bot: BotName = "b".parse().unwrap();
        assert_eq!(EffectId::of_bot(&bot, 7, 0), EffectId::of_bot(&bot, 7, 0));
        assert_ne!(EffectId::of_bot(&bot, 7, 0), EffectId::of_bot(&bot, 7, 1));
        assert_ne!(EffectId::of_bot(&bot, 71, 0), EffectId::of_bot(&bot, 7, 10));
        assert_eq!(EffectId::of_bot(&bot, 7, 0).to_string().parse(), Ok(EffectId::of_bot(&bot, 7, 0)));
    }
}
