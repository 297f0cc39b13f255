//! How much of something a plugin wants, and what the operator's grants lack of it.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use crate::{Glob, Grants, TargetName, Tier, Want, glob, limits};

/// How much a plugin wants something. The parameters say what it can't do its work without; one that is left out asks for no
/// more than that anything of the kind is granted. Each goes with some wants only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// What for, in words for the operator who decides: 1 to 512 bytes.
    pub why: String,
    /// Whether it also works without: then nothing of it keeps it from being installed. Default = false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// Runs that it is about, by patterns, at most [`limits::GLOBS`]: with `read`, `replicate`, `prune` and `pin`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Glob>,
    /// Targets that it copies to, at most [`limits::GLOBS`]: with `replicate`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub targets: BTreeSet<TargetName>,
    /// Tiers that it prunes: with `prune`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tiers: BTreeSet<Tier>,
    /// Effects in one event, of all kinds together as they are granted, 1 to 4096: with `replicate`, `prune` and `pin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effects_per_event: Option<u32>,
    /// Effects in one minute, of all kinds together, 1 or more: with `replicate`, `prune` and `pin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effects_per_minute: Option<u32>,
    /// Bytes of checkpoints copied in one day, 1 or more: with `replicate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_day: Option<u64>,
    /// Bytes of its state, 1 to 64 MiB: with `state`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_bytes: Option<u64>,
}

/// What a want asks for by one of its parameters: all of it, or what the grants lack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need<'a> {
    /// Runs, by these patterns.
    Runs(Vec<&'a Glob>),
    /// Targets.
    Targets(Vec<&'a TargetName>),
    /// Tiers.
    Tiers(Vec<Tier>),
    /// A number.
    Number {
        /// The name of the grant.
        name: &'static str,
        /// What is wanted.
        wanted: u64,
        /// What is granted, where that is less.
        granted: Option<u64>,
    },
}

/// What is wanted and not granted; shown as the operator is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack<'a> {
    /// What.
    pub want: Want,
    /// What for.
    pub why: &'a str,
    /// What of it; nothing if it states no parameters that are not covered, and nothing of the kind is granted.
    pub of: Vec<Need<'a>>,
}

impl Wanted {
    /// What it asks for by parameters, in the order in which it is shown.
    pub fn needs(&self) -> Vec<Need<'_>> {
        self.beyond(&[], None)
    }

    /// What the grants lack of it. None if they cover it.
    pub(crate) fn lack(&self, want: Want, grants: &Grants) -> Option<Lack<'_>> {
        let runs = match want {
            Want::Read => &grants.read[..],
            Want::Replicate => &grants.replicate,
            Want::Prune => &grants.prune,
            Want::Pin => &grants.pin,
            Want::State | Want::Wasi => &[],
        };
        let of = self.beyond(runs, Some(grants));
        (!of.is_empty() || !grants.give(want)).then_some(Lack { want, why: &self.why, of })
    }

    /// Its parameters, without what these runs and grants cover.
    fn beyond(&self, runs: &[Glob], grants: Option<&Grants>) -> Vec<Need<'_>> {
        let covered = |wanted: &Glob| runs.iter().any(|glob| glob.covers(wanted));
        let runs: Vec<_> = self.runs.iter().filter(|wanted| !covered(wanted)).collect();
        let granted = |target| grants.is_some_and(|grants| grants.targets.contains(target));
        let targets: Vec<_> = self.targets.iter().filter(|target| !granted(target)).collect();
        let granted = |tier| grants.is_some_and(|grants| grants.tiers.contains(tier));
        let tiers: Vec<_> = self.tiers.iter().filter(|tier| !granted(tier)).copied().collect();
        let (mut per_event, mut per_minute, mut per_day, mut state) = (None, None, None, None);
        if let Some(grants) = grants {
            (per_event, per_minute) = (Some(grants.effects_per_event()), Some(grants.effects_per_minute()));
            (per_day, state) = (Some(grants.bytes_per_day.unwrap_or(u64::MAX)), Some(grants.state_bytes()));
        }
        let number = |name, wanted: Option<u64>, granted: Option<u64>| {
            let wanted = wanted.filter(|wanted| granted.is_none_or(|granted| *wanted > granted))?;
            Some(Need::Number { name, wanted, granted })
        };
        let lists = [
            (!runs.is_empty()).then_some(Need::Runs(runs)),
            (!targets.is_empty()).then_some(Need::Targets(targets)),
            (!tiers.is_empty()).then_some(Need::Tiers(tiers)),
        ];
        let numbers = [
            number("effects_per_event", self.effects_per_event.map(u64::from), per_event.map(u64::from)),
            number("effects_per_minute", self.effects_per_minute.map(u64::from), per_minute.map(u64::from)),
            number("bytes_per_day", self.bytes_per_day, per_day),
            number("state_bytes", self.state_bytes, state),
        ];
        lists.into_iter().chain(numbers).flatten().collect()
    }

    /// Whether its parameters go with the want, and are within their bounds.
    ///
    /// # Errors
    /// The rule that is broken, with the field.
    pub(crate) fn check(&self, want: Want) -> Result<(), String> {
        let effects = matches!(want, Want::Replicate | Want::Prune | Want::Pin);
        let replicate = want == Want::Replicate;
        for (name, given, goes) in [
            ("runs", !self.runs.is_empty(), effects || want == Want::Read),
            ("targets", !self.targets.is_empty(), replicate),
            ("tiers", !self.tiers.is_empty(), want == Want::Prune),
            ("effects_per_event", self.effects_per_event.is_some(), effects),
            ("effects_per_minute", self.effects_per_minute.is_some(), effects),
            ("bytes_per_day", self.bytes_per_day.is_some(), replicate),
            ("state_bytes", self.state_bytes.is_some(), want == Want::State),
        ] {
            if given && !goes {
                return Err(format!("`wants.{want}` has no `{name}`"));
            }
        }
        glob::check_all("wants.*.runs", &self.runs).map_err(|bad| bad.to_string())?;
        if self.targets.len() > limits::GLOBS {
            return Err(format!("`wants.{want}.targets` names at most {}", limits::GLOBS));
        }
        for (name, given, most) in [
            ("effects_per_event", self.effects_per_event.map(u64::from), Grants::MOST_EFFECTS_PER_EVENT.into()),
            ("effects_per_minute", self.effects_per_minute.map(u64::from), u32::MAX.into()),
            ("bytes_per_day", self.bytes_per_day, u64::MAX),
            ("state_bytes", self.state_bytes, Grants::MOST_STATE_BYTES),
        ] {
            if given.is_some_and(|given| !(1..=most).contains(&given)) {
                return Err(format!("`wants.{want}.{name}` is 1 to {most}"));
            }
        }
        Ok(())
    }
}

/// Several things by their names, each as code.
fn names(f: &mut fmt::Formatter<'_>, what: &str, all: impl Iterator<Item = impl fmt::Display>) -> fmt::Result {
    let all: Vec<String> = all.map(|name| format!("`{name}`")).collect();
    write!(f, "{what} {}", all.join(", "))
}

impl fmt::Display for Need<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runs(globs) => names(f, "runs", globs.iter()),
            Self::Targets(targets) => names(f, "targets", targets.iter()),
            Self::Tiers(tiers) => names(f, "tiers", tiers.iter().map(|tier| tier.name())),
            Self::Number { name, wanted, granted: None } => write!(f, "`{name}` {wanted}"),
            Self::Number { name, wanted, granted: Some(granted) } => write!(f, "`{name}` {wanted} (it is {granted})"),
        }
    }
}

impl fmt::Display for Lack<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({})", self.want, self.why)?;
        if self.of.is_empty() {
            return Ok(());
        }
        let of: Vec<String> = self.of.iter().map(ToString::to_string).collect();
        write!(f, " for {}", of.join(" and "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(all: &[&str]) -> Vec<Glob> {
        all.iter().map(|glob| Glob((*glob).into())).collect()
    }

    fn copies() -> Wanted {
        Wanted {
            why: "to copy".into(),
            runs: globs(&["gpt-*", "llama"]),
            targets: ["cold".parse().unwrap(), "default".parse().unwrap()].into(),
            effects_per_minute: Some(100),
            bytes_per_day: Some(1 << 40),
            ..Wanted::default()
        }
    }

    fn told(wanted: &Wanted, want: Want, grants: &Grants) -> Option<String> {
        wanted.lack(want, grants).map(|lack| lack.to_string())
    }

    #[test]
    fn only_what_the_grants_lack_is_told() {
        let all = Grants {
            replicate: globs(&["*"]),
            targets: ["cold".parse().unwrap(), "default".parse().unwrap()].into(),
            ..Grants::default()
        };
        assert_eq!(told(&copies(), Want::Replicate, &all), None, "a day's bytes are unbounded unless they are bounded");
        let fewer = Grants {
            replicate: globs(&["gpt-1*", "lla?a"]),
            targets: ["default".parse().unwrap()].into(),
            effects_per_minute: Some(60),
            bytes_per_day: Some(1 << 30),
            ..Grants::default()
        };
        let text = "`replicate` (to copy) for runs `gpt-*` and targets `cold` and `effects_per_minute` 100 (it is 60) and \
                    `bytes_per_day` 1099511627776 (it is 1073741824)";
        assert_eq!(told(&copies(), Want::Replicate, &fewer).unwrap(), text);
        let nothing = told(&copies(), Want::Replicate, &Grants::default()).unwrap();
        assert_eq!(nothing, "`replicate` (to copy) for runs `gpt-*`, `llama` and targets `cold`, `default`");
    }

    #[test]
    fn a_want_without_parameters_asks_for_anything_of_the_kind() {
        let plain = Wanted { why: "to look".into(), ..Wanted::default() };
        assert_eq!(told(&plain, Want::Read, &Grants::default()).unwrap(), "`read` (to look)");
        assert_eq!(told(&plain, Want::Read, &Grants { read: globs(&["a"]), ..Grants::default() }), None);
    }

    #[test]
    fn a_grant_that_is_left_out_is_its_default() {
        let state = |bytes| Wanted { why: "to count".into(), state_bytes: Some(bytes), ..Wanted::default() };
        assert_eq!(told(&state(1 << 20), Want::State, &Grants::default()), None);
        let more = told(&state((1 << 20) + 1), Want::State, &Grants::default()).unwrap();
        assert_eq!(more, "`state` (to count) for `state_bytes` 1048577 (it is 1048576)");
    }

    #[test]
    fn needs_are_all_that_is_stated() {
        let needs: Vec<String> = copies().needs().iter().map(ToString::to_string).collect();
        let numbers = ["`effects_per_minute` 100", "`bytes_per_day` 1099511627776"];
        assert_eq!(needs, [&["runs `gpt-*`, `llama`", "targets `cold`, `default`"][..], &numbers].concat());
        assert_eq!(Wanted::default().needs(), []);
    }

    #[test]
    fn a_parameter_out_of_place_or_bounds_is_refused_by_name() {
        let none = Wanted::default;
        assert_eq!(copies().check(Want::Replicate), Ok(()));
        for (wanted, want, said) in [
            (copies(), Want::Pin, "`wants.pin` has no `targets`"),
            (Wanted { runs: globs(&["*"]), ..none() }, Want::State, "`wants.state` has no `runs`"),
            (Wanted { tiers: [Tier::Nvme].into(), ..none() }, Want::Read, "`wants.read` has no `tiers`"),
            (Wanted { state_bytes: Some(1), ..none() }, Want::Wasi, "`wants.wasi` has no `state_bytes`"),
            (Wanted { state_bytes: Some(0), ..none() }, Want::State, "`wants.state.state_bytes` is 1 to 67108864"),
            (
                Wanted { effects_per_event: Some(4097), ..none() },
                Want::Pin,
                "`wants.pin.effects_per_event` is 1 to 4096",
            ),
            (Wanted { runs: globs(&["[a]"]), ..none() }, Want::Read, "wants.*.runs[0]: run pattern"),
        ] {
            let error = wanted.check(want).unwrap_err();
            assert!(error.starts_with(said), "{error}");
        }
    }
}
