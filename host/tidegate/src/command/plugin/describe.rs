use std::{fmt::Display, fs, path::PathBuf};

use anyhow::Context;
use serde_json::Value;
use tidegate_core::{PluginManifest, limits, told};

use super::inspect;
use crate::{command::input, exit::Failure, show::Out};

/// Write a manifest into a component that has none, such as one in Python; `build` does it for Rust
///
/// Without a manifest all that a component imports must be granted. With one, an operator sees what each thing is wanted for,
/// and need not grant what is optional. The file is replaced in one step.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The component: a .wasm file
    file: PathBuf,
    /// As JSON, or @FILE: {"name":"pins","version":"1.0.0","wants":{"pin":{"why":"to hold steps"},"prune":{"why":"never
    /// done","optional":true}}}. `worlds` is the one that it was made for if it is left out
    #[arg(long, value_name = "JSON", value_parser = input::json)]
    manifest: Value,
}

pub(crate) fn run(args: Args, out: Out) -> Result<(), Failure> {
    let Args { file, mut manifest } = args;
    let mut component = input::file(&file, limits::COMPONENT_BYTES)?;
    let refused = |bad: &dyn Display| Failure::Usage(format!("{}: {}", file.display(), told(&bad.to_string())));
    if tidegate_sandbox::manifest(&component).map_err(|bad| refused(&bad))?.is_some() {
        return Err(Failure::Usage(format!("{} has a manifest already", file.display())));
    }
    if let Some(fields) = manifest.as_object_mut() {
        fields.entry("manifest").or_insert_with(|| PluginManifest::FORM.into());
        if !fields.contains_key("worlds") {
            fields.insert("worlds".to_owned(), vec![inspect::look_at(&file, &component)?.world].into());
        }
    }
    let manifest = PluginManifest::decode(manifest.to_string().as_bytes())
        .map_err(|bad| Failure::Usage(format!("--manifest: {}", told(&bad.to_string()))))?;
    tidegate_build::embed(&mut component, &manifest).map_err(anyhow::Error::from)?;
    // What it imports beyond its manifest is refused here as a host would.
    let about = inspect::look_at(&file, &component)?;
    let failed = || format!("can't write {}", file.display());
    // A link stays one: what it leads to is replaced.
    let real = file.canonicalize().with_context(failed)?;
    let beside = real.with_extension("wasm.tmp");
    fs::write(&beside, &component).and_then(|()| fs::rename(&beside, &real)).with_context(failed)?;
    out.value(&about, || inspect::text(&about))
}
