//! Where the workspace is, and calling cargo in it.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

/// The root of the workspace, two folders above this package.
pub(crate) fn root() -> Result<PathBuf> {
    let package = env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask`")?;
    let root = Path::new(&package).ancestors().nth(2).context("this package lies two folders below the root")?;
    Ok(root.to_owned())
}

/// Cargo at the root, the same one that runs this program.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What cargo told this program about its own package is not for others.
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR" {
            command.env_remove(name);
        }
    }
    command.current_dir(root);
    command
}

/// The Python 3 of the system.
pub(crate) fn python() -> Command {
    Command::new(env::var_os("PYTHON").unwrap_or_else(|| "python3".into()))
}

/// The names of the packages below `folder` of the workspace, sorted.
pub(crate) fn packages_below(root: &Path, folder: &str) -> Result<Vec<String>> {
    let output = cargo(root).args(["metadata", "--no-deps", "--format-version=1"]).output()?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata.get("packages").and_then(|p| p.as_array()).context("cargo metadata names no packages")?;
    let below = root.join(folder);
    let inside = packages.iter().filter_map(|package| {
        let manifest = package.get("manifest_path")?.as_str()?;
        let name = package.get("name")?.as_str()?;
        Path::new(manifest).starts_with(&below).then(|| name.to_owned())
    });
    let mut names: Vec<_> = inside.collect();
    names.sort_unstable();
    Ok(names)
}
