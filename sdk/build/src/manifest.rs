//! A plugin's manifest: from `[package.metadata.tidegate]` of its `Cargo.toml` into its component.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;
use tidegate_core::{PluginManifest, Want, Wanted};

use crate::{Error, component::name_of, process::run};

/// What the author writes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    wants: BTreeMap<Want, serde_json::Value>,
}

/// `read = "why"`, or `read = { why = "why", optional = true, runs = ["gpt-*"] }`, as [`Wanted`] has it.
fn wanted(want: Want, written: serde_json::Value) -> Result<Wanted, String> {
    match written {
        serde_json::Value::String(why) => Ok(Wanted { why, ..Wanted::default() }),
        // Not an untagged enum: its error would not name the parameter that there is not.
        table => {
            Wanted::deserialize(table).map_err(|error| format!("[package.metadata.tidegate] wants.{want}: {error}"))
        }
    }
}

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    version: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    metadata: serde_json::Value,
}

/// The package whose `Cargo.toml` stands in this directory.
///
/// # Errors
/// Cargo's own words; [`Error::BadManifest`] if there is no package here.
pub fn package_in(dir: &Path) -> Result<String, Error> {
    let own = dir.join("Cargo.toml");
    let found = metadata(dir)?.packages.into_iter().find(|package| package.manifest_path == own);
    found.map(|package| package.name).ok_or_else(|| Error::BadManifest {
        name: dir.display().to_string(),
        reason: "its Cargo.toml is of no package: name the directory of the plugin's crate".into(),
    })
}

fn metadata(workspace: &Path) -> Result<Metadata, Error> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(workspace).args(["metadata", "--no-deps", "--format-version", "1"]);
    let text = run(&mut command)?.ok()?;
    serde_json::from_str(&text)
        .map_err(|error| Error::BadManifest { name: "cargo metadata".into(), reason: error.to_string() })
}

/// The manifests of packages of a workspace, in their order; none for one that has no `[package.metadata.tidegate]`.
pub(crate) fn of_packages(workspace: &Path, packages: &[&str]) -> Result<Vec<Option<PluginManifest>>, Error> {
    let refuse = |name: &str, reason: String| Error::BadManifest { name: name.to_owned(), reason };
    let all = metadata(workspace)?;
    let manifest = |name: &&str| {
        let package = all.packages.iter().find(|package| package.name == **name);
        package.map_or(Ok(None), |package| of_package(package).map_err(|reason| refuse(name, reason)))
    };
    packages.iter().map(manifest).collect()
}

fn of_package(package: &Package) -> Result<Option<PluginManifest>, String> {
    let Some(written) = package.metadata.get("tidegate") else { return Ok(None) };
    let written = Written::deserialize(written).map_err(|error| format!("[package.metadata.tidegate]: {error}"))?;
    let wants = written.wants.into_iter().map(|(want, written)| Ok((want, wanted(want, written)?)));
    let manifest = PluginManifest {
        manifest: PluginManifest::FORM,
        name: name_of(&package.name).parse().map_err(|error| format!("{error}"))?,
        version: package.version.clone(),
        description: package.description.clone().unwrap_or_default(),
        worlds: vec![WORLD.to_owned()],
        wants: wants.collect::<Result<_, String>>()?,
        settings: None,
    };
    manifest.encode().map_err(|error| error.to_string())?;
    Ok(Some(manifest))
}

/// The world that the SDK of this version is for.
const WORLD: &str = "tidegate:bot/policy@0.2.0";

/// Appends the manifest to a component, as its last custom section.
///
/// # Errors
/// [`Error::BadManifest`] if it breaks a rule.
pub fn embed(component: &mut Vec<u8>, manifest: &PluginManifest) -> Result<(), Error> {
    let name = manifest.name.to_string();
    let bytes = manifest.encode().map_err(|error| Error::BadManifest { name, reason: error.to_string() })?;
    let section = PluginManifest::SECTION;
    let mut body = leb128(section.len());
    body.extend(section.as_bytes());
    body.extend(bytes);
    component.push(0);
    component.extend(leb128(body.len()));
    component.extend(body);
    Ok(())
}

/// An unsigned number as WebAssembly writes it.
fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(metadata: serde_json::Value) -> Package {
        let (name, version) = ("tidegate-plugin-gate".into(), "1.2.3".into());
        Package { name, version, manifest_path: PathBuf::new(), description: Some("Opens.".into()), metadata }
    }

    #[test]
    fn wants_are_a_reason_or_a_table() {
        let wants = json!({ "read": "to look", "pin": { "why": "if told to", "optional": true } });
        let made = of_package(&package(json!({ "tidegate": { "wants": wants } }))).unwrap().unwrap();
        assert_eq!((made.name.as_str(), made.version.as_str(), made.description.as_str()), ("gate", "1.2.3", "Opens."));
        assert_eq!(made.wants[&Want::Read], Wanted { why: "to look".into(), ..Wanted::default() });
        assert!(made.wants[&Want::Pin].optional);
        let wants =
            json!({ "replicate": { "why": "to copy", "runs": ["gpt-*"], "targets": ["cold"], "bytes_per_day": 1000 } });
        let made = of_package(&package(json!({ "tidegate": { "wants": wants } }))).unwrap().unwrap();
        let needs: Vec<String> = made.wants[&Want::Replicate].needs().iter().map(ToString::to_string).collect();
        assert_eq!(needs, ["runs `gpt-*`", "targets `cold`", "`bytes_per_day` 1000"]);
        assert!(of_package(&package(serde_json::Value::Null)).unwrap().is_none());
        for (bad, said) in [
            (json!({ "wants": { "shell": "x" } }), "shell"),
            (json!({ "wants": { "read": "" } }), "why"),
            (json!({ "wants": { "read": { "why": "x", "rums": ["*"] } } }), "wants.read: unknown field `rums`"),
            (json!({ "wants": { "read": { "why": "x", "tiers": ["nvme"] } } }), "`wants.read` has no `tiers`"),
            (json!({ "wants": { "read": 3 } }), "wants.read"),
            (json!({ "want": {} }), "want"),
        ] {
            let error = of_package(&package(json!({ "tidegate": bad }))).unwrap_err();
            assert!(error.contains(said), "{bad}: {error}");
        }
    }

    #[test]
    fn the_world_is_that_of_the_contract() {
        let contract = include_str!("../../../wit/policy.wit");
        let version = contract.strip_prefix("package tidegate:bot@").and_then(|rest| rest.split_once(';')).unwrap().0;
        assert_eq!(WORLD, format!("tidegate:bot/policy@{version}"));
    }

    #[test]
    fn numbers_are_written_in_groups_of_seven_bits() {
        assert_eq!(leb128(0), [0]);
        assert_eq!(leb128(127), [127]);
        assert_eq!(leb128(128), [0x80, 1]);
        assert_eq!(leb128(624_485), [0xe5, 0x8e, 0x26]);
    }
}
