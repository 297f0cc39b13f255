//! `cargo xtask plugins`: the first-party plugins as components.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Result, ensure};

use crate::workspace;

/// Where the components go, below the root.
pub(crate) const FOLDER: &str = "target/plugins";

/// Builds all plugins and says where each is.
pub(crate) fn run() -> Result<ExitCode> {
    let root = workspace::root()?;
    for component in build(&root, &mut |line| eprintln!("{line}"))? {
        let bytes = component.metadata()?.len();
        println!("{} ({bytes} bytes)", component.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Finds a compiler for the target and builds every package below `plugins/`.
pub(crate) fn build(root: &Path, say: &mut dyn FnMut(&str)) -> Result<Vec<PathBuf>> {
    let packages = workspace::packages_below(root, "plugins")?;
    ensure!(!packages.is_empty(), "there is no package below plugins/");
    let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
    let toolchain = tidegate_build::find_toolchain(&tidegate_build::cache_dir()?, say)?;
    say(&format!("building {} with the {}", packages.join(", "), toolchain.describe()));
    Ok(tidegate_build::build_plugins_with(&toolchain, root, &packages, &root.join(FOLDER), say)?)
}
