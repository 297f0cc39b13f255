//! What an operator allows a bot.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{BotName, EffectKind, Event, EventKind, Refusal, RunName, TargetName, Tier, Want, Why};

/// A pattern over names: `*` stands for any characters, `?` for one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Glob(pub String);

impl Glob {
    /// Whether the whole of `name` fits.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        // The textbook way in constant memory: on a mismatch, let the last `*` take one character more.
        let (mut p, mut n, mut star) = (0, 0, None);
        while n < name.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    star = Some((p, n));
                    p += 1;
                }
                Some(c) if *c == b'?' || name.get(n) == Some(c) => {
                    p += 1;
                    n += 1;
                }
                _ => match star {
                    Some((at, taken)) => {
                        star = Some((at, taken + 1));
                        p = at + 1;
                        n = taken + 1;
                    }
                    None => return false,
                },
            }
        }
        pattern.iter().skip(p).all(|c| *c == b'*')
    }
}

/// What a bot may do. The default is nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grants {
    /// Runs whose checkpoints it may see.
    pub read: Vec<Glob>,
    /// Runs that it may replicate.
    pub replicate: Vec<Glob>,
    /// Targets that it may replicate to.
    pub targets: BTreeSet<TargetName>,
    /// Runs that it may prune.
    pub prune: Vec<Glob>,
    /// Tiers that it may prune.
    pub tiers: BTreeSet<Tier>,
    /// Runs that it may pin.
    pub pin: Vec<Glob>,
    /// Whether it may run with WASI, as a closed room: for components of languages that need it. Default = false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub wasi: bool,
    /// Effects in one event; default = 64, at most 4096.
    pub effects_per_event: Option<u32>,
    /// Effects in one minute of its events' time; default = 6000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effects_per_minute: Option<u32>,
    /// Bytes of checkpoints that it may have copied in one day (UTC) of its events' time; default: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_day: Option<u64>,
    /// Bytes of its state, keys and values; default = 1 MiB, at most 64 MiB.
    pub state_bytes: Option<u64>,
}

fn covers(globs: &[Glob], run: &RunName) -> bool {
    globs.iter().any(|glob| glob.matches(run.as_str()))
}

impl Grants {
    /// Effects in one event.
    pub fn effects_per_event(&self) -> u32 {
        self.effects_per_event.unwrap_or(64).min(4096)
    }

    /// Effects in one minute.
    pub fn effects_per_minute(&self) -> u32 {
        self.effects_per_minute.unwrap_or(6_000)
    }

    /// Bytes of state.
    pub fn state_bytes(&self) -> u64 {
        self.state_bytes.unwrap_or(1 << 20).min(64 << 20)
    }

    /// Whether anything of a kind is granted, for any run.
    pub fn give(&self, want: Want) -> bool {
        match want {
            Want::Read => !self.read.is_empty(),
            Want::Replicate => !self.replicate.is_empty() && !self.targets.is_empty(),
            Want::Prune => !self.prune.is_empty() && !self.tiers.is_empty(),
            Want::Pin => !self.pin.is_empty(),
            Want::State => self.state_bytes() > 0,
            Want::Wasi => self.wasi,
        }
    }

    /// Whether it may see this run.
    pub fn may_read(&self, run: &RunName) -> bool {
        covers(&self.read, run)
    }

    /// Whether it may ask this.
    ///
    /// # Errors
    /// `denied`, with the grant that is missing.
    pub fn allow(&self, run: &RunName, kind: &EffectKind) -> Result<(), Refusal> {
        let (granted, verb) = match kind {
            EffectKind::Replicate { target, .. } if !self.targets.contains(target) => {
                return Err(Refusal::new(Why::Denied, format!("target {target} is not among the granted targets")));
            }
            EffectKind::Prune { tier } if !self.tiers.contains(tier) => {
                let message = format!("tier {} is not among the granted tiers", tier.name());
                return Err(Refusal::new(Why::Denied, message));
            }
            EffectKind::Replicate { .. } => (&self.replicate, "replicate"),
            EffectKind::Prune { .. } => (&self.prune, "prune"),
            EffectKind::Pin | EffectKind::Unpin => (&self.pin, "pin"),
        };
        if covers(granted, run) {
            return Ok(());
        }
        Err(Refusal::new(Why::Denied, format!("grant `{verb}` does not cover run {run}")))
    }
}

/// Which events wake a bot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Triggers {
    /// Kinds of events, by the names of [`EventKind::TRIGGERS`].
    pub events: BTreeSet<String>,
    /// Only events of these runs; empty means of all that it may read.
    pub runs: Vec<Glob>,
}

impl Triggers {
    /// A kind that does not exist, if there is one.
    pub fn unknown(&self) -> Option<&str> {
        self.events.iter().map(String::as_str).find(|kind| !EventKind::TRIGGERS.contains(kind))
    }

    /// Whether this event wakes the bot, given what it may read.
    pub fn wakes(&self, bot: &BotName, grants: &Grants, event: &Event) -> bool {
        match &event.kind {
            EventKind::BotStarted { bot: whose, .. } | EventKind::BotWoken { bot: whose, .. } => whose == bot,
            EventKind::JobFinished { by, .. } => by == bot.as_str(),
            kind => {
                let asked = self.events.contains(kind.name()) && EventKind::TRIGGERS.contains(&kind.name());
                asked
                    && kind
                        .run()
                        .is_none_or(|run| grants.may_read(run) && (self.runs.is_empty() || covers(&self.runs, run)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_names() {
        for (glob, name, fits) in [
            ("*", "anything", true),
            ("gpt-*", "gpt-1b", true),
            ("gpt-*", "my-gpt-1b", false),
            ("*-a*b", "x-a-a-b", true),
            ("g?t", "gpt", true),
            ("g?t", "gt", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(Glob(glob.into()).matches(name), fits, "{glob} on {name}");
        }
    }

    #[test]
    fn nothing_is_granted_by_default() {
        let run: RunName = "gpt".parse().unwrap();
        let grants = Grants::default();
        assert!(!grants.may_read(&run));
        for kind in [EffectKind::Pin, EffectKind::Unpin, EffectKind::Prune { tier: Tier::Nvme }] {
            assert_eq!(grants.allow(&run, &kind).unwrap_err().why, Why::Denied);
        }
    }

    #[test]
    fn a_tier_is_granted_apart_from_the_run() {
        let run: RunName = "gpt".parse().unwrap();
        let grants = Grants { prune: vec![Glob("*".into())], tiers: [Tier::Nvme].into(), ..Grants::default() };
        assert!(grants.allow(&run, &EffectKind::Prune { tier: Tier::Nvme }).is_ok());
        assert!(grants.allow(&run, &EffectKind::Prune { tier: Tier::Object }).is_err());
    }
}
