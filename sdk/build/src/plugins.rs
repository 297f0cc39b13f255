//! From the packages of a workspace to components in a folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tidegate_core::PluginManifest;

use crate::{Error, Progress, Toolchain, cargo, component, component::name_of, manifest, schema};

/// Builds `packages` of the workspace at `workspace` with its profile `plugin` and writes `<out_dir>/<name>.wasm` for
/// each, in the order given; the name is the package's without `tidegate-plugin-`.
///
/// All plugins share the folder `target/wasm` of the workspace, so that what they share is compiled once. A component
/// is encoded again only if its module or its manifest changed, and appears atomically. The schema of a plugin's settings
/// is made natively, by a test of its crate, in the profile and the folder of the author's own tests.
///
/// # Errors
/// Cargo's own words if it fails; [`Error::NotAPlugin`] or [`Error::ForeignImport`] if a module is not a plugin.
pub fn build_plugins(
    toolchain: &Toolchain,
    workspace: &Path,
    packages: &[&str],
    out_dir: &Path,
) -> Result<Vec<PathBuf>, Error> {
    build_plugins_with(toolchain, workspace, packages, out_dir, &mut |_| {})
}

/// [`build_plugins`], and `progress` sees cargo's lines while it works.
///
/// # Errors
/// As [`build_plugins`].
pub fn build_plugins_with(
    toolchain: &Toolchain,
    workspace: &Path,
    packages: &[&str],
    out_dir: &Path,
    progress: Progress<'_>,
) -> Result<Vec<PathBuf>, Error> {
    let modules = cargo::build(toolchain, workspace, packages, progress)?;
    fs::create_dir_all(out_dir).map_err(Error::io("create", out_dir))?;
    let manifests = describe(workspace, packages, progress)?;
    let plugins = packages.iter().zip(modules).zip(manifests);
    plugins
        .map(|((package, module), says)| component::update(name_of(package), &module, says.as_ref(), out_dir))
        .collect()
}

/// The manifest of each package, with the schema of its settings; none for one that says nothing of itself.
fn describe(workspace: &Path, packages: &[&str], progress: Progress<'_>) -> Result<Vec<Option<PluginManifest>>, Error> {
    let mut manifests = manifest::of_packages(workspace, packages)?;
    let told = packages.iter().zip(&mut manifests).filter_map(|(package, says)| Some((*package, says.as_mut()?)));
    let (names, says): (Vec<&str>, Vec<&mut PluginManifest>) = told.unzip();
    for (says, schema) in says.into_iter().zip(schema::of_packages(workspace, &names, progress)?) {
        says.settings = schema;
    }
    Ok(manifests)
}
