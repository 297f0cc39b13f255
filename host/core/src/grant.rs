//! What an operator allows a bot.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    BadGlobs, BotName, EffectKind, Event, EventKind, Glob, Refusal, RunName, TargetName, Tier, Want, Why,
    glob::check_all, object::object_only,
};

/// What a bot may do. The default is nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
pub struct Grants {
    /// Runs whose checkpoints it may see: patterns, at most [`crate::limits::GLOBS`] as in every list of them.
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

/// Grants that can't be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadGrants {
    /// A list of patterns.
    #[error(transparent)]
    Globs(#[from] BadGlobs),
    /// A number that the host would not hold to.
    #[error("{field}: {value}; give 0 to {most}")]
    TooMuch {
        /// The grant, such as `grants.state_bytes`.
        field: &'static str,
        /// What was given.
        value: u64,
        /// The most that can be granted.
        most: u64,
    },
}

object_only!(Grants, "an object of grants");
object_only!(Triggers, "an object of `events` and `runs`");

fn covers(globs: &[Glob], run: &RunName) -> bool {
    globs.iter().any(|glob| glob.matches(run.as_str()))
}

impl Grants {
    /// Effects in one event that can be granted.
    pub const MOST_EFFECTS_PER_EVENT: u32 = 4096;
    /// Bytes of state that can be granted.
    pub const MOST_STATE_BYTES: u64 = 64 << 20;

    /// Whether its patterns are patterns, and not too many, and no number is beyond what can be granted. What there is to
    /// grant, such as targets, the host knows. A record may be older than the rules: its numbers are cut when they are used.
    ///
    /// # Errors
    /// [`BadGrants`] names the field.
    pub fn check(&self) -> Result<(), BadGrants> {
        check_all("grants.read", &self.read)?;
        check_all("grants.replicate", &self.replicate)?;
        check_all("grants.prune", &self.prune)?;
        check_all("grants.pin", &self.pin)?;
        let effects = self.effects_per_event.map(u64::from);
        for (field, value, most) in [
            ("grants.effects_per_event", effects, Self::MOST_EFFECTS_PER_EVENT.into()),
            ("grants.state_bytes", self.state_bytes, Self::MOST_STATE_BYTES),
        ] {
            if let Some(value) = value.filter(|value| *value > most) {
                return Err(BadGrants::TooMuch { field, value, most });
            }
        }
        Ok(())
    }

    /// Effects in one event.
    pub fn effects_per_event(&self) -> u32 {
        self.effects_per_event.unwrap_or(64).min(Self::MOST_EFFECTS_PER_EVENT)
    }

    /// Effects in one minute.
    pub fn effects_per_minute(&self) -> u32 {
        self.effects_per_minute.unwrap_or(6_000)
    }

    /// Bytes of state.
    pub fn state_bytes(&self) -> u64 {
        self.state_bytes.unwrap_or(1 << 20).min(Self::MOST_STATE_BYTES)
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
#[serde(default, deny_unknown_fields, remote = "Self")]
pub struct Triggers {
    /// Kinds of events, by the names of [`EventKind::TRIGGERS`].
    pub events: BTreeSet<String>,
    /// Only events of these runs; empty means of all that it may read.
    pub runs: Vec<Glob>,
}

impl Triggers {
    /// Whether its patterns are patterns, and not too many.
    ///
    /// # Errors
    /// [`BadGlobs`].
    pub fn check(&self) -> Result<(), BadGlobs> {
        check_all("triggers.runs", &self.runs)
    }

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
    fn grants_are_an_object_of_what_there_is() {
        let read = |text: &str| serde_json::from_str::<Grants>(text).map_err(|error| error.to_string());
        assert_eq!(read(r#"{"read":["*"],"tiers":["nvme"]}"#).unwrap().read, [Glob("*".into())]);
        for (text, said) in [
            ("[]", "an object of grants"),
            (r#"[["*"]]"#, "an object of grants"),
            ("null", "an object of grants"),
            (r#""read""#, "an object of grants"),
            (r#"{"raed":["*"]}"#, "unknown field `raed`"),
            (r#"{"read":"*"}"#, "a sequence"),
            (r#"{"tiers":["tape"]}"#, "unknown variant `tape`"),
            (r#"{"targets":["a b"]}"#, "target name \"a b\" is not valid"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
        assert!(serde_json::from_str::<Triggers>("[]").is_err());
    }

    #[test]
    fn every_list_of_patterns_is_checked() {
        let bad = || vec![Glob("[a]".into())];
        let none = Grants::default;
        for (grants, field) in [
            (Grants { read: bad(), ..none() }, "grants.read"),
            (Grants { replicate: bad(), ..none() }, "grants.replicate"),
            (Grants { prune: bad(), ..none() }, "grants.prune"),
            (Grants { pin: bad(), ..none() }, "grants.pin"),
        ] {
            assert!(grants.check().unwrap_err().to_string().starts_with(field));
        }
        assert!(Triggers { runs: bad(), ..Triggers::default() }.check().is_err());
        // What an earlier version has written is still read.
        let record = crate::cbor::encode(&Grants { read: bad(), ..none() }).unwrap();
        assert_eq!(crate::cbor::decode::<Grants>(&record, 1 << 10).unwrap().read, bad());
    }

    #[test]
    fn no_more_is_granted_than_is_held_to() {
        let most = || Grants { effects_per_event: Some(4096), state_bytes: Some(64 << 20), ..Grants::default() };
        assert_eq!(most().check(), Ok(()));
        for (grants, said) in [
            (Grants { effects_per_event: Some(4097), ..most() }, "grants.effects_per_event: 4097; give 0 to 4096"),
            (Grants { state_bytes: Some(67_108_865), ..most() }, "grants.state_bytes: 67108865; give 0 to 67108864"),
        ] {
            assert_eq!(grants.check().unwrap_err().to_string(), said);
            // What an earlier version has written goes on as it did.
            let record = crate::cbor::encode(&grants).unwrap();
            let read: Grants = crate::cbor::decode(&record, 1 << 10).unwrap();
            assert_eq!((read.effects_per_event(), read.state_bytes()), (4096, 64 << 20));
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
