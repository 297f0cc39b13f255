//! The manifest that stands in a component, read without running or compiling anything.

use tidegate_core::{BadPluginManifest, PluginManifest};
use wasmparser::{Parser, Payload};

/// The manifest of a component; none if it has none. Only the outermost component's own sections count: what it was composed of may have
/// had others.
///
/// # Errors
/// Bytes that are no component, a manifest that breaks a rule or is there twice.
pub fn read(component: &[u8]) -> Result<Option<PluginManifest>, BadPluginManifest> {
    let mut found = None;
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(|error| BadPluginManifest(error.to_string()))? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if depth == 0 && section.name() == PluginManifest::SECTION => {
                if found.is_some() {
                    return Err(BadPluginManifest(format!("the section `{}` is there twice", PluginManifest::SECTION)));
                }
                found = Some(PluginManifest::decode(section.data())?);
            }
            _ => {}
        }
    }
    Ok(found)
}
