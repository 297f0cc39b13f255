//! The JSON Schema of a bot's settings: made from their type, natively, when its component is built.
//!
//! [`export!`](crate::export) puts a test into the plugin's crate that writes the schema to the file that
//! [`VARIABLE`] names; `tidegate plugin build` runs it and embeds what it wrote. So a component carries the schema and none
//! of the code that makes it.

use std::{env, fs};

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::{Bot, Tier};

/// The environment variable that names the file.
const VARIABLE: &str = "TIDEGATE_SETTINGS_SCHEMA";

/// The JSON Schema (2020-12) of a bot's settings, as it will stand in the manifest of its component.
///
/// Doc comments are its descriptions, serde's defaults its defaults. A type within is written out where it is used, so
/// that whoever shows the schema need not look up references; only one that contains itself is referred to.
///
/// Natively only: a component doesn't carry what makes it.
///
/// ```
/// use tidegate_sdk::{prelude::*, settings_schema};
/// # struct Milestones;
/// # impl Bot for Milestones {
/// #     type Settings = Settings;
/// #     fn handle(_: &Event, _: &Settings) -> Result<(), Error> { Ok(()) }
/// # }
/// #[settings]
/// struct Settings {
///     /// Steps that are a multiple of this are pinned.
///     #[schemars(range(min = 1))]
///     every: u64,
/// }
///
/// let schema = settings_schema::<Milestones>();
/// assert_eq!(schema["properties"]["every"]["description"], "Steps that are a multiple of this are pinned.");
/// assert_eq!(schema["properties"]["every"]["minimum"], 1);
/// assert_eq!(schema["required"][0], "every");
/// ```
pub fn settings_schema<B: Bot>() -> Value {
    let written_out = SchemaSettings::draft2020_12().for_deserialize().with(|how| how.inline_subschemas = true);
    written_out.into_generator().into_root_schema_for::<B::Settings>().to_value()
}

/// What the test that [`export!`](crate::export) makes does.
///
/// # Errors
/// A file that can't be written.
pub fn write<B: Bot>() -> Result<(), String> {
    let Some(path) = env::var_os(VARIABLE) else { return Ok(()) };
    let text = settings_schema::<B>().to_string();
    fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
}

impl JsonSchema for Tier {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Tier".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": [Self::Nvme.name(), Self::Object.name()] })
    }
}

/// As it is read: the defaults in a schema are written so.
impl Serialize for Tier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Error, Event, settings};

    /// One of each kind.
    #[settings]
    #[serde(default, deny_unknown_fields)]
    struct All {
        /// How
        /// many.
        count: u64,
        mode: Mode,
        best: Option<Best>,
        tiers: Vec<Tier>,
    }

    #[settings]
    #[derive(Default)]
    #[serde(rename_all = "kebab-case")]
    enum Mode {
        #[default]
        GoodEnough,
        Best,
    }

    #[settings]
    struct Best {
        metric: String,
    }

    impl Default for All {
        fn default() -> Self {
            Self { count: 3, mode: Mode::Best, best: Some(Best { metric: "loss".into() }), tiers: vec![Tier::Object] }
        }
    }

    /// Has them.
    struct Any;

    impl Bot for Any {
        type Settings = All;
        fn handle(_: &Event, _: &All) -> Result<(), Error> {
            Ok(())
        }
    }

    #[test]
    fn defaults_stand_in_the_schema_as_they_are_read() {
        let schema = settings_schema::<Any>();
        let all = &schema["properties"];
        let defaults = ["count", "mode", "best", "tiers"].map(|name| all[name]["default"].clone());
        assert_eq!(defaults, [json!(3), json!("best"), json!({ "metric": "loss" }), json!(["object"])]);
        let read: All = serde_json::from_value(json!({ "mode": all["mode"]["default"], "tiers": ["nvme"] })).unwrap();
        assert!(matches!(read.mode, Mode::Best) && read.count == 3);
    }

    #[test]
    fn words_bounds_and_choices_are_the_types_own_and_nothing_is_referred_to() {
        let schema = settings_schema::<Any>();
        assert_eq!(schema["description"], "One of each kind.");
        assert_eq!(schema["additionalProperties"], false);
        let all = &schema["properties"];
        assert_eq!(all["count"]["description"], "How\nmany.");
        assert_eq!(all["mode"]["enum"], json!(["good-enough", "best"]));
        assert_eq!(all["tiers"]["items"]["enum"], json!(["nvme", "object"]));
        assert_eq!(all["best"]["properties"]["metric"]["type"], "string");
        assert!(!schema.to_string().contains("$ref"), "{schema}");
    }

    #[test]
    fn the_schema_is_the_same_again() {
        assert_eq!(settings_schema::<Any>().to_string(), settings_schema::<Any>().to_string());
    }
}
