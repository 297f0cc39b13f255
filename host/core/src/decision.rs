//! What a bot decided about an event, as data: the same for a dry run, a shadow and a comparison of two versions.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{Effect, EffectId, Refusal, Seq, Timestamp, Why};

/// An effect that was asked for, and the host's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// What was asked, with its reason.
    pub effect: Effect,
    /// The effect's id, or why not.
    pub answer: Result<EffectId, Refusal>,
}

/// An effect of the bot's own that was to be called off, and the host's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalledOff {
    /// Which.
    pub effect: EffectId,
    /// Why.
    pub reason: String,
    /// Why not, if so.
    pub answer: Result<(), Refusal>,
}

/// One event through a bot.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The event's place.
    pub event: Seq,
    /// Its time.
    pub time: Timestamp,
    /// What happened, by its kind's name.
    pub kind: String,
    /// What was asked, in order.
    pub asked: Vec<Asked>,
    /// What was to be called off, in order.
    #[serde(default)]
    pub cancels: Vec<CalledOff>,
    /// Keys under which it asked to be woken, and when; none where it took that back.
    pub wakes: Vec<(String, Option<Timestamp>)>,
    /// Why the handler failed, if it did: then nothing of this counts.
    pub fault: Option<String>,
    /// Its log lines.
    pub log: Vec<String>,
}

impl Decision {
    /// Whether nothing came of the event.
    pub fn is_empty(&self) -> bool {
        let asked = !self.asked.is_empty() || !self.cancels.is_empty() || !self.wakes.is_empty();
        !asked && self.fault.is_none() && self.log.is_empty()
    }

    /// Whether two versions of a bot want the same: the same effects in any order, whatever their reasons, the same ones
    /// called off, and the same wakes; or both fail. An effect that is unnecessary, because it is being done already, is as good as accepted.
    pub fn agrees(&self, other: &Self) -> bool {
        if self.fault.is_some() || other.fault.is_some() {
            return self.fault.is_some() == other.fault.is_some();
        }
        let wanted = |it: &Self| {
            let asked = it.asked.iter().filter(|asked| match &asked.answer {
                Ok(_) => true,
                Err(refusal) => refusal.why == Why::Unnecessary,
            });
            let mut wanted: Vec<String> = asked
                .map(|Asked { effect, .. }| format!("{}\0{}\0{:?}", effect.run, effect.step, effect.kind))
                .collect();
            wanted.sort();
            wanted.dedup();
            wanted
        };
        let woken = |it: &Self| {
            let mut wakes = it.wakes.clone();
            wakes.sort();
            wakes
        };
        let called_off = |it: &Self| {
            let accepted = it.cancels.iter().filter(|cancel| cancel.answer.is_ok());
            accepted.map(|cancel| cancel.effect.clone()).collect::<BTreeSet<_>>()
        };
        wanted(self) == wanted(other) && called_off(self) == called_off(other) && woken(self) == woken(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EffectKind;

    fn asked(step: u64, reason: &str, answer: Result<u128, Why>) -> Asked {
        let (run, step) = ("r".parse().unwrap(), step.try_into().unwrap());
        let effect = Effect { run, step, kind: EffectKind::Pin, reason: reason.into() };
        Asked { effect, answer: answer.map(EffectId::of_operator).map_err(|why| Refusal::new(why, "no")) }
    }

    #[test]
    fn versions_agree_by_what_they_want_not_by_why_or_in_which_order() {
        let with = |asked: Vec<Asked>| Decision { asked, ..Decision::default() };
        let one = with(vec![asked(1, "a", Ok(1)), asked(2, "b", Ok(2)), asked(3, "c", Err(Why::Denied))]);
        assert!(one.agrees(&with(vec![asked(2, "x", Err(Why::Unnecessary)), asked(1, "y", Ok(9))])));
        assert!(!one.agrees(&with(vec![asked(1, "a", Ok(1))])));
        let woken = Decision { wakes: vec![("k".into(), Some(Timestamp(1)))], ..one.clone() };
        assert!(!one.agrees(&woken));
        let cancels = vec![CalledOff { effect: EffectId::of_operator(3), reason: "x".into(), answer: Ok(()) }];
        let calls_off = Decision { cancels, ..one.clone() };
        assert!(!one.agrees(&calls_off) && calls_off.agrees(&calls_off));
        assert!(!Decision { asked: vec![], ..calls_off }.is_empty());
        let failed = Decision { fault: Some("trap".into()), ..one.clone() };
        assert!(!one.agrees(&failed) && failed.agrees(&failed));
    }
}
