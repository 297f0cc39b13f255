use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidegate_core::{BotName, Code, Digest, Grants, Mode, Seq, Spent, Triggers};

use super::BotSpec;
use crate::{Error, Result};

/// What runs: a component with all that an operator gave it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) plugin: Digest,
    /// JSON text, exactly as the component gets it.
    pub(super) settings: String,
    pub(super) grants: Grants,
    pub(super) triggers: Triggers,
    #[serde(default)]
    pub(super) mode: Mode,
}

/// An installed bot, as the index keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) name: BotName,
    #[serde(flatten)]
    pub(super) version: Version,
    /// The place of the event that installed it: changes with every change, so that a batch of an older version is seen.
    pub(super) installed: Seq,
    /// The last event dealt with.
    pub(super) cursor: Seq,
    pub(super) quarantined: Option<String>,
    /// Bytes of its state, keys and values.
    pub(super) state_bytes: u64,
    /// The event that it stands before in quarantine, which is kept with what is needed to handle it again.
    #[serde(default)]
    pub(super) parked: Option<Seq>,
    /// The bot's own numbers.
    #[serde(default)]
    pub(super) metrics: BTreeMap<String, f64>,
    /// What is used of quotas over time.
    #[serde(default)]
    pub(super) spent: Spent,
    /// What was at work before this version, while this one has not proven itself.
    #[serde(default)]
    pub(super) previous: Option<Previous>,
    /// Why the version before was put back, if that is how this one came to work.
    #[serde(default)]
    pub(super) put_back: Option<String>,
    /// The last version that was put back from, until it is installed again.
    #[serde(default)]
    pub(super) rolled_back: Option<RolledBack>,
    /// A version that runs beside this one for comparison, and has no effects.
    #[serde(default)]
    pub(super) candidate: Option<Version>,
}

/// What a bot goes back to if its new version fails in its first events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Previous {
    pub(super) version: Version,
    /// Events that the new version has yet to handle before it is settled.
    pub(super) left: u64,
    /// Whether the state as it was is kept aside, since the new version has changed its form; and of how many bytes it is.
    pub(super) state_kept: Option<u64>,
    /// Whether the times at which it was to be woken are kept aside. A host before this one kept none.
    #[serde(default)]
    pub(super) wakes_kept: bool,
}

/// A version in whose place the one before it was put back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct RolledBack {
    pub(super) version: Version,
    /// The event on which, and why.
    pub(super) why: String,
}

impl Version {
    pub(super) fn of(spec: &BotSpec) -> Self {
        let BotSpec { plugin, settings, grants, triggers, mode } = spec;
        let settings = settings.to_string();
        Self { plugin: *plugin, settings, grants: grants.clone(), triggers: triggers.clone(), mode: *mode }
    }

    pub(super) fn spec(&self, bot: &BotName) -> Result<BotSpec> {
        let settings = serde_json::from_str(&self.settings)
            .map_err(|e| Error::new(Code::Internal, format!("settings of bot {bot}: {e}")))?;
        let (grants, triggers, mode) = (self.grants.clone(), self.triggers.clone(), self.mode);
        Ok(BotSpec { plugin: self.plugin, settings, grants, triggers, mode })
    }
}

impl Record {
    /// One that begins with the event of its own installation.
    pub(super) fn new(name: BotName, version: Version, installed: Seq) -> Self {
        Self {
            name,
            version,
            installed,
            cursor: installed.saturating_sub(1),
            quarantined: None,
            state_bytes: 0,
            parked: None,
            metrics: BTreeMap::new(),
            spent: Spent::default(),
            previous: None,
            put_back: None,
            rolled_back: None,
            candidate: None,
        }
    }

    /// Takes in events that went well: with the last of its trial a version is settled. True if that is now.
    pub(super) fn prove(&mut self, handled: u64) -> bool {
        let Some(previous) = &mut self.previous else { return false };
        previous.left = previous.left.saturating_sub(handled);
        let settled = previous.left == 0;
        if settled {
            self.previous = None;
        }
        settled
    }
}

#[cfg(test)]
pub(super) fn some_version() -> Version {
    let (grants, triggers, mode) = Default::default();
    Version { plugin: Digest::of(b"x"), settings: "{}".into(), grants, triggers, mode }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_first_light_is_read() {
        #[derive(Serialize)]
        struct Old {
            name: BotName,
            plugin: Digest,
            settings: String,
            grants: Grants,
            triggers: Triggers,
            installed: Seq,
            cursor: Seq,
            quarantined: Option<String>,
            state_bytes: u64,
        }
        let old = Old {
            name: "b".parse().unwrap(),
            plugin: Digest::of(b"x"),
            settings: "{}".into(),
            grants: Grants { state_bytes: Some(7), ..Grants::default() },
            triggers: Triggers::default(),
            installed: 3,
            cursor: 2,
            quarantined: Some("why".into()),
            state_bytes: 9,
        };
        let bytes = tidegate_core::cbor::encode(&old).unwrap();
        let decode = |bytes: &[u8]| tidegate_core::cbor::decode::<Record>(bytes, 1 << 20).unwrap();
        let read = decode(&bytes);
        assert_eq!((read.cursor, read.version.grants.state_bytes, read.version.mode), (2, Some(7), Mode::Enforce));
        assert_eq!(decode(&tidegate_core::cbor::encode(&read).unwrap()), read);
    }

    #[test]
    fn a_version_is_settled_by_its_last_event_of_trial() {
        let version = some_version();
        let previous = Some(Previous { version: version.clone(), left: 5, state_kept: None, wakes_kept: true });
        let mut record = Record { previous, ..Record::new("b".parse().unwrap(), version, 1) };
        assert!(!record.prove(4));
        assert_eq!(record.previous.as_ref().map(|it| it.left), Some(1));
        assert!(record.prove(3) && record.previous.is_none());
        assert!(!record.prove(1), "once");
    }
}
