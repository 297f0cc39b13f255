//! Names and numbers that identify things. Each is validated when it is made, so the rest of the code can rely on it:
//! a name can be a directory, an object key and a topic without escaping.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{limits, quoted};

/// Why a name or number was refused, in words that say what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {shown} is not valid: {rule}")]
pub struct InvalidName {
    /// What was named, such as `run name`.
    pub what: &'static str,
    /// The value in quotes, as [`crate::quoted`] has it.
    pub shown: String,
    /// The rule.
    pub rule: &'static str,
}

fn shown(value: &str) -> String {
    quoted(value).to_string()
}

const RULE: &str = "use 1 to 128 of A-Z a-z 0-9 . _ - and do not start with . or -";

fn check_name(what: &'static str, value: &str) -> Result<(), InvalidName> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let good_start = !value.starts_with(['.', '-']);
    if !value.is_empty() && value.len() <= limits::NAME_BYTES && good_start && value.bytes().all(plain) {
        return Ok(());
    }
    Err(InvalidName { what, shown: shown(value), rule: RULE })
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(value: &str) -> Result<Self, InvalidName> {
                check_name($what, value).map(|()| Self(value.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(value: String) -> Result<Self, InvalidName> {
                check_name($what, &value).map(|()| Self(value))
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The name of a training run.
    RunName, "run name"
);
name!(
    /// The name of an installed bot.
    BotName, "bot name"
);
name!(
    /// The name of a host within its cluster.
    HostName, "host name"
);
name!(
    /// The name of a configured object target.
    TargetName, "target name"
);
name!(
    /// The id of a save in progress; the staging directory carries it.
    SaveId, "save id"
);

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty), $what:literal, $ok:expr, $rule:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "u64", into = "u64")]
        pub struct $name($inner);

        impl $name {
            /// The number.
            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl TryFrom<u64> for $name {
            type Error = InvalidName;
            fn try_from(value: u64) -> Result<Self, InvalidName> {
                let ok: fn(u64) -> bool = $ok;
                match <$inner>::try_from(value) {
                    Ok(inner) if ok(value) => Ok(Self(inner)),
                    _ => Err(InvalidName { what: $what, shown: shown(&value.to_string()), rule: $rule }),
                }
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(value: &str) -> Result<Self, InvalidName> {
                let bad = |_| InvalidName { what: $what, shown: shown(value), rule: $rule };
                value.parse::<u64>().map_err(bad).and_then(Self::try_from)
            }
        }

        impl From<$name> for u64 {
            fn from(number: $name) -> u64 {
                u64::from(number.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// An optimiser step, as the trainer counts it.
    Step(u64), "step", |v| v <= limits::STEP, "give a whole number from 0 to 10^15"
);
number!(
    /// A writer's index within its run, from 0.
    Rank(u32), "rank", |v| v < limits::WORLD_SIZE as u64, "give a whole number from 0 to 65535"
);
number!(
    /// How many ranks make a checkpoint whole.
    WorldSize(u32), "world size", |v| v >= 1 && v <= limits::WORLD_SIZE as u64, "give a whole number from 1 to 65536"
);

impl WorldSize {
    /// Whether `rank` is one of this world.
    pub fn holds(self, rank: Rank) -> bool {
        rank.get() < self.get()
    }
}

/// What a trainer reports with a checkpoint: at most 64 finite numbers by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, f64>", into = "BTreeMap<String, f64>")]
pub struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// The numbers in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// One number.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    /// Adds another rank's numbers; of one name the number that is there stands.
    pub fn merge(&mut self, other: &Metrics) {
        for (name, value) in &other.0 {
            if self.0.len() < limits::METRICS {
                self.0.entry(name.clone()).or_insert(*value);
            }
        }
    }
}

impl TryFrom<BTreeMap<String, f64>> for Metrics {
    type Error = InvalidName;
    fn try_from(map: BTreeMap<String, f64>) -> Result<Self, InvalidName> {
        let bad = |shown: &str, rule| InvalidName { what: "metric", shown: self::shown(shown), rule };
        if map.len() > limits::METRICS {
            return Err(bad(&map.len().to_string(), "give at most 64 metrics"));
        }
        for (name, value) in &map {
            let plain = !name.is_empty() && !name.chars().any(char::is_control);
            if name.len() > limits::METRIC_NAME_BYTES || !plain {
                return Err(bad(name, "use names of 1 to 64 bytes without control characters"));
            }
            if !value.is_finite() {
                return Err(bad(name, "give a finite number"));
            }
        }
        Ok(Self(map))
    }
}

impl From<Metrics> for BTreeMap<String, f64> {
    fn from(metrics: Metrics) -> Self {
        metrics.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_cannot_climb_out_of_its_directory() {
        let long = "x".repeat(300);
        for bad in ["", ".", "..", "../x", "a/b", "a\0b", "-rf", ".hidden", "a b", "ä", "a\nb", long.as_str()] {
            assert!(bad.parse::<RunName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_metric_must_be_a_finite_number() {
        for bad in [f64::NAN, f64::INFINITY] {
            assert!(Metrics::try_from(BTreeMap::from([("loss".to_owned(), bad)])).is_err());
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_one_plain_path_component(name in "\\PC{0,140}") {
            if let Ok(run) = name.parse::<RunName>() {
                let path = std::path::Path::new(run.as_str());
                prop_assert_eq!(path.components().count(), 1);
                prop_assert!(matches!(path.components().next(), Some(std::path::Component::Normal(_))));
            }
        }
    }
}
