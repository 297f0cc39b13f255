//! Answers every call, holds each value to what `wit/` says of it, and answers with more than it may.

use std::any::Any;

use tidegate_core::{
    Checkpoint, Effect, EffectId, EffectKind, JobState, Refusal, RunName, Step, Tier, Timestamp, Verdict, Why,
};

use crate::{Calls, MetricChange};

/// The bounds are written down again here, as the contract states them.
#[derive(Debug)]
pub(super) struct Witness {
    chance: u64,
}

impl Witness {
    pub(super) fn new(chance: u64) -> Self {
        Self { chance }
    }

    /// Now and then it is refused, at length.
    fn refuse(&mut self) -> Result<(), Refusal> {
        self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        match self.chance >> 62 {
            0 => Err(Refusal::new(Why::Denied, "no € way ".repeat((self.chance >> 50 & 1023) as usize))),
            1 => Err(Refusal::new(Why::StaleToken, "another leads")),
            _ => Ok(()),
        }
    }
}

fn name(name: &str) {
    assert!((1..=128).contains(&name.len()) && !name.contains(['/', '\0']) && !name.starts_with('.'), "{name:?}");
}

fn step(step: Step) {
    assert!(step.get() <= 1_000_000_000_000_000, "{step:?}");
}

fn reason(reason: &str) {
    assert!((1..=512).contains(&reason.len()) && !reason.contains(char::is_control), "{reason:?}");
}

fn key(key: &str) {
    assert!((1..=256).contains(&key.len()), "{key:?}");
}

fn id(id: &EffectId) {
    assert!(id.as_str().len() <= 64 && !id.as_str().contains(char::is_control), "{id:?}");
}

impl Calls for Witness {
    fn runs(&mut self, after: Option<RunName>) -> Result<Vec<RunName>, Refusal> {
        after.iter().for_each(|run| name(run.as_str()));
        self.refuse()?;
        Ok((0..300).filter_map(|n| format!("run-{n}").parse().ok()).collect())
    }

    fn list(
        &mut self,
        run: RunName,
        before: Option<Step>,
        limit: u32,
    ) -> Result<(Vec<Checkpoint>, Option<Step>), Refusal> {
        name(run.as_str());
        before.into_iter().for_each(step);
        assert!((1..=256).contains(&limit), "{limit}");
        self.refuse()?;
        Ok((checkpoint(&run).into_iter().cycle().take(300).collect(), before))
    }

    fn get(&mut self, run: RunName, of: Step) -> Result<Option<Checkpoint>, Refusal> {
        name(run.as_str());
        step(of);
        self.refuse()?;
        Ok(checkpoint(&run))
    }

    fn plan_prune(&mut self, run: RunName, steps: Vec<Step>, _: Tier) -> Result<Vec<Verdict>, Refusal> {
        name(run.as_str());
        assert!((1..=256).contains(&steps.len()), "{}", steps.len());
        steps.iter().copied().for_each(step);
        self.refuse()?;
        let verdict = |step| Verdict { step, allowed: false, because: "é".repeat(900) };
        Ok(steps.iter().cycle().take(400).copied().map(verdict).collect())
    }

    fn effect(&mut self, effect: Effect) -> Result<EffectId, Refusal> {
        name(effect.run.as_str());
        step(effect.step);
        reason(&effect.reason);
        if let EffectKind::Replicate { target, not_before, deadline, rate, priority } = &effect.kind {
            name(target.as_str());
            assert!(*priority <= 9 && rate.is_none_or(|rate| rate >= 65_536), "{:?}", effect.kind);
            assert!(deadline.is_none_or(|deadline| deadline >= *not_before), "{:?}", effect.kind);
        }
        self.refuse()?;
        Ok(EffectId::of_operator(u128::from(self.chance)))
    }

    fn status(&mut self, effect: EffectId) -> Result<Option<JobState>, Refusal> {
        id(&effect);
        self.refuse()?;
        Ok(Some(JobState::Running))
    }

    fn cancel(&mut self, effect: EffectId, because: String) -> Result<(), Refusal> {
        id(&effect);
        reason(&because);
        self.refuse()
    }

    fn state_get(&mut self, of: &str) -> Result<Option<Vec<u8>>, Refusal> {
        key(of);
        self.refuse().map(|()| Some(vec![0; 65_536]))
    }

    fn state_set(&mut self, of: &str, value: Vec<u8>) -> Result<(), Refusal> {
        key(of);
        assert!(value.len() <= 65_536, "{}", value.len());
        self.refuse()
    }

    fn state_delete(&mut self, of: &str) -> Result<(), Refusal> {
        key(of);
        self.refuse()
    }

    fn state_keys(&mut self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<String>, Refusal> {
        assert!(prefix.len() <= 256 && after.is_none_or(|after| after.len() <= 256) && limit <= 256);
        self.refuse().map(|()| vec!["k".to_owned(); 300])
    }

    fn wake_at(&mut self, _: Timestamp, of: &str, because: String) -> Result<(), Refusal> {
        key(of);
        reason(&because);
        self.refuse()
    }

    fn cancel_wake(&mut self, of: &str) -> Result<(), Refusal> {
        key(of);
        self.refuse()
    }

    fn random(&mut self, into: &mut [u8]) -> Result<(), Refusal> {
        assert!((1..=4096).contains(&into.len()), "{}", into.len());
        self.refuse()
    }

    fn metric(&mut self, of: &str, change: MetricChange) -> Result<(), Refusal> {
        assert!((1..=64).contains(&of.len()) && of.is_ascii(), "{of:?}");
        assert!(
            match change {
                MetricChange::Set(value) => value.is_finite(),
                MetricChange::Add(by) => by.is_finite() && by >= 0.0,
            },
            "{change:?}"
        );
        self.refuse()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

fn checkpoint(run: &RunName) -> Option<Checkpoint> {
    let (step, world) = (Step::try_from(1).ok()?, 1_u64.try_into().ok()?);
    Some(Checkpoint::new(run.clone(), step, world, Timestamp(1)))
}
