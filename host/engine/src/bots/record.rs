use serde::{Deserialize, Serialize};
use tidegate_core::{BotName, Digest, Grants, Seq, Triggers};

use super::BotSpec;
use crate::{Error, Result};
use tidegate_core::Code;

/// An installed bot, as the index keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) name: BotName,
    pub(super) plugin: Digest,
    /// JSON text, exactly as the component gets it.
    pub(super) settings: String,
    pub(super) grants: Grants,
    pub(super) triggers: Triggers,
    /// The place of the event that installed it: changes with every change, so that a batch of an older version is seen.
    pub(super) installed: Seq,
    /// The last event dealt with.
    pub(super) cursor: Seq,
    pub(super) quarantined: Option<String>,
    /// Bytes of its state, keys and values.
    pub(super) state_bytes: u64,
}

impl Record {
    pub(super) fn spec(&self) -> Result<BotSpec> {
        let settings = serde_json::from_str(&self.settings)
            .map_err(|e| Error::new(Code::Internal, format!("settings of bot {}: {e}", self.name)))?;
        let (grants, triggers) = (self.grants.clone(), self.triggers.clone());
        Ok(BotSpec { plugin: self.plugin, settings, grants, triggers })
    }
}
