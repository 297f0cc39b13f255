//! What a plugin says of itself, as data that stands in its component: nothing has to run to read it.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{BotName, Grants, Lack, Wanted, limits};

/// Something that a plugin may want and an operator may grant: the unit in which the two are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Want {
    /// See runs and their checkpoints.
    Read,
    /// Copy checkpoints to a target.
    Replicate,
    /// Delete a checkpoint's bytes from a tier.
    Prune,
    /// Hold checkpoints against every prune.
    Pin,
    /// Keep something between events.
    State,
    /// Run with WASI 0.2, as languages other than Rust need it: a closed room without files, network or environment.
    Wasi,
}

impl Want {
    /// Its name: that of the grant.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Replicate => "replicate",
            Self::Prune => "prune",
            Self::Pin => "pin",
            Self::State => "state",
            Self::Wasi => "wasi",
        }
    }

    /// What a function of the contract takes, by the names of `wit/`; none if it takes nothing, as the clock does, or is
    /// not known.
    pub fn of(interface: &str, function: &str) -> Option<Self> {
        match (interface, function) {
            ("checkpoints", "runs" | "list-checkpoints" | "get-checkpoint") => Some(Self::Read),
            ("checkpoints", "pin" | "unpin") => Some(Self::Pin),
            ("checkpoints", "prune" | "plan-prune") => Some(Self::Prune),
            // To ask after one's own effects, and to call them off, takes nothing.
            ("replication", "replicate") => Some(Self::Replicate),
            ("state", _) => Some(Self::State),
            _ => None,
        }
    }
}

impl fmt::Display for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The manifest of a plugin: JSON in the custom section [`PluginManifest::SECTION`] of its component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginManifest {
    /// The form of this manifest: [`PluginManifest::FORM`].
    pub manifest: u32,
    /// The plugin's name.
    pub name: BotName,
    /// Its version, as semver has it; 1 to 64 bytes.
    pub version: String,
    /// What it does, in a sentence; at most 512 bytes.
    #[serde(default)]
    pub description: String,
    /// The worlds that it can run in, such as `tidegate:bot/policy@0.1.0`; 1 to 16.
    pub worlds: Vec<String>,
    /// What it wants.
    #[serde(default)]
    pub wants: BTreeMap<Want, Wanted>,
    /// A JSON Schema of its settings, made from their type: an object of at most [`limits::SETTINGS_SCHEMA_BYTES`] and
    /// [`limits::SETTINGS_SCHEMA_DEPTH`], whose texts have no control characters but line ends. It tells people and
    /// tools what can be set; what is accepted, the plugin itself says when it is installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Value>,
}

/// A manifest that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the plugin's manifest is not valid: {0}")]
pub struct BadPluginManifest(pub String);

impl PluginManifest {
    /// The component's custom section.
    pub const SECTION: &'static str = "tidegate:plugin";
    /// The only form so far.
    pub const FORM: u32 = 1;

    /// Reads the section.
    ///
    /// # Errors
    /// [`BadPluginManifest`] says which field breaks which rule.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadPluginManifest> {
        let refuse = |what: String| Err(BadPluginManifest(what));
        if bytes.len() > limits::PLUGIN_MANIFEST_BYTES {
            return refuse(format!("{} bytes where {} are taken", bytes.len(), limits::PLUGIN_MANIFEST_BYTES));
        }
        let read: Self = serde_json::from_slice(bytes).map_err(|error| BadPluginManifest(error.to_string()))?;
        read.check().map(|()| read)
    }

    /// The section's bytes.
    ///
    /// # Errors
    /// As [`PluginManifest::decode`]: what could not be read again is not written.
    pub fn encode(&self) -> Result<Vec<u8>, BadPluginManifest> {
        self.check()?;
        let bytes = serde_json::to_vec(self).map_err(|error| BadPluginManifest(error.to_string()))?;
        Self::decode(&bytes).map(|_| bytes)
    }

    fn check(&self) -> Result<(), BadPluginManifest> {
        let text = |what: &str, text: &str, least: usize, most: usize| {
            let good = (least..=most).contains(&text.len()) && !text.contains(char::is_control);
            let rule = || BadPluginManifest(format!("`{what}` has {least} to {most} bytes without control characters"));
            if good { Ok(()) } else { Err(rule()) }
        };
        if self.manifest != Self::FORM {
            return Err(BadPluginManifest(format!(
                "form {} is not known; this host knows {}",
                self.manifest,
                Self::FORM
            )));
        }
        text("version", &self.version, 1, 64)?;
        text("description", &self.description, 0, limits::REASON_BYTES)?;
        if self.worlds.is_empty() || self.worlds.len() > 16 {
            return Err(BadPluginManifest("`worlds` names 1 to 16".into()));
        }
        self.worlds.iter().try_for_each(|world| text("worlds", world, 1, 256))?;
        for (want, wanted) in &self.wants {
            text("wants.*.why", &wanted.why, 1, limits::REASON_BYTES)?;
            wanted.check(*want).map_err(BadPluginManifest)?;
        }
        self.settings.as_ref().map_or(Ok(()), check_schema)
    }

    /// What the component uses and the manifest does not say.
    pub fn undeclared(&self, used: impl IntoIterator<Item = Want>) -> Vec<Want> {
        let mut more: Vec<Want> = used.into_iter().filter(|want| !self.wants.contains_key(want)).collect();
        more.sort_unstable();
        more.dedup();
        more
    }

    /// What it can't do without and is not granted, or not as far as it says that it needs it.
    pub fn ungranted(&self, grants: &Grants) -> Vec<Lack<'_>> {
        self.lacking(grants, false)
    }

    /// What it also works without and is not granted, or not as far as it wants it.
    pub fn ungranted_optional(&self, grants: &Grants) -> Vec<Lack<'_>> {
        self.lacking(grants, true)
    }

    fn lacking(&self, grants: &Grants, optional: bool) -> Vec<Lack<'_>> {
        let wanted = self.wants.iter().filter(|(_, wanted)| wanted.optional == optional);
        wanted.filter_map(|(want, wanted)| wanted.lack(*want, grants)).collect()
    }
}

fn check_schema(schema: &Value) -> Result<(), BadPluginManifest> {
    let refuse = |rule: String| Err(BadPluginManifest(format!("`settings` is a JSON Schema: {rule}")));
    if !schema.is_object() {
        return refuse("an object".into());
    }
    let bytes = schema.to_string().len();
    if bytes > limits::SETTINGS_SCHEMA_BYTES {
        return refuse(format!("{bytes} bytes where {} are taken", limits::SETTINGS_SCHEMA_BYTES));
    }
    if !is_shallow(schema, limits::SETTINGS_SCHEMA_DEPTH) {
        return refuse(format!("values stand at most {} deep within each other", limits::SETTINGS_SCHEMA_DEPTH));
    }
    if !is_plain(schema) {
        return refuse("its texts have no control characters but line ends".into());
    }
    Ok(())
}

/// Whether no value stands deeper than so many within others.
fn is_shallow(value: &Value, depth: usize) -> bool {
    let Some(within) = depth.checked_sub(1) else { return false };
    match value {
        Value::Array(items) => items.iter().all(|item| is_shallow(item, within)),
        Value::Object(fields) => fields.values().all(|item| is_shallow(item, within)),
        _ => true,
    }
}

/// Whether its texts can be shown as they are.
fn is_plain(value: &Value) -> bool {
    let plain = |text: &str| !text.contains(|c: char| c.is_control() && c != '\n');
    match value {
        Value::String(text) => plain(text),
        Value::Array(items) => items.iter().all(is_plain),
        Value::Object(fields) => fields.iter().all(|(name, item)| plain(name) && is_plain(item)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Glob;

    fn manifest() -> PluginManifest {
        let wanted = |why: &str, optional| Wanted { why: why.into(), optional, ..Wanted::default() };
        PluginManifest {
            manifest: 1,
            name: "gate".parse().unwrap(),
            version: "0.1.0".into(),
            description: "Opens and closes.".into(),
            worlds: vec!["tidegate:bot/policy@0.1.0".into()],
            wants: [(Want::Read, wanted("to see what there is", false)), (Want::Pin, wanted("if told to", true))]
                .into(),
            settings: Some(serde_json::json!({ "type": "object" })),
        }
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let written = manifest().encode().unwrap();
        assert_eq!(PluginManifest::decode(&written).unwrap(), manifest());
    }

    #[test]
    fn a_manifest_out_of_its_bounds_is_refused_with_the_field() {
        let broken = |change: &dyn Fn(&mut PluginManifest)| {
            let mut it = manifest();
            change(&mut it);
            it.encode().unwrap_err().0
        };
        assert!(broken(&|it| it.manifest = 2).contains("form 2"));
        assert!(broken(&|it| it.version.clear()).contains("`version`"));
        assert!(broken(&|it| it.description = "a\nb".into()).contains("`description`"));
        assert!(broken(&|it| it.worlds.clear()).contains("`worlds`"));
        assert!(broken(&|it| it.settings = Some(Value::Null)).contains("`settings`") || manifest().settings.is_some());
        assert!(broken(&|it| it.settings = Some(3.into())).contains("`settings`"));
        let wide = |it: &mut PluginManifest| {
            it.wants.values_mut().for_each(|wanted| wanted.why = "x".repeat(513));
        };
        assert!(broken(&wide).contains("why"));
        for (text, said) in [
            ("", "EOF"),
            ("[]", "invalid"),
            (r#"{"manifest":1,"name":"../x","version":"1","worlds":["w"]}"#, "name"),
            (r#"{"manifest":1,"name":"x","version":"1","worlds":["w"],"wants":{"root":{"why":"y"}}}"#, "root"),
            (r#"{"manifest":1,"name":"x","version":"1","worlds":["w"],"shell":true}"#, "shell"),
            (r#"{"manifest":1,"name":"x","version":"1","worlds":["w"],"wants":{"pin":{"why":"y","run":[]}}}"#, "run"),
            (
                r#"{"manifest":1,"name":"x","version":"1","worlds":["w"],"wants":{"pin":{"why":"y","tiers":["nvme"]}}}"#,
                "`wants.pin` has no `tiers`",
            ),
        ] {
            let error = PluginManifest::decode(text.as_bytes()).unwrap_err().0;
            assert!(error.contains(said), "{text}: {error}");
        }
        let large = vec![b' '; limits::PLUGIN_MANIFEST_BYTES + 1];
        assert!(PluginManifest::decode(&large).unwrap_err().0.contains("bytes"));
    }

    #[test]
    fn a_schema_out_of_its_bounds_is_refused() {
        let said =
            |schema: Value| PluginManifest { settings: Some(schema), ..manifest() }.encode().map_err(|bad| bad.0);
        let nested = |depth: usize| (1..depth).fold(json!({}), |within, _| json!({ "items": within }));
        assert!(said(nested(limits::SETTINGS_SCHEMA_DEPTH)).is_ok());
        assert!(said(nested(limits::SETTINGS_SCHEMA_DEPTH + 1)).unwrap_err().contains("32 deep"));
        let wide = json!({ "description": "x".repeat(limits::SETTINGS_SCHEMA_BYTES) });
        assert!(said(wide).unwrap_err().contains("bytes"));
        assert!(said(json!({ "description": "one\ntwo" })).is_ok());
        assert!(said(json!({ "\u{1b}[2J": true })).unwrap_err().contains("control"));
        assert!(said(json!({ "enum": ["\u{7}"] })).unwrap_err().contains("control"));
    }

    #[test]
    fn imports_wants_and_grants_are_compared() {
        let it = manifest();
        assert_eq!(it.undeclared([Want::Prune, Want::Read, Want::Prune]), [Want::Prune]);
        let told = |all: Vec<Lack<'_>>| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(told(it.ungranted(&Grants::default())), ["`read` (to see what there is)"]);
        assert_eq!(told(it.ungranted_optional(&Grants::default())), ["`pin` (if told to)"]);
        let grants = Grants { read: vec![Glob("*".into())], ..Grants::default() };
        assert_eq!(it.ungranted(&grants), []);
    }
}
