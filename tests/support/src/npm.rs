//! Packages from npm in the user's cache, fetched the first time that someone asks.
//!
//! ```text
//! <cache>/npm/<name>-<key>.lock   held while they are fetched
//! <cache>/npm/<name>-<key>/       the packages; the key is a digest of their names and of Node's version
//!     .complete                   written last: a folder without it is made anew
//! ```

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result};

use crate::{
    debian,
    venv::{output, remove_folder},
};

/// Packages that are whole.
#[derive(Clone, Debug)]
pub struct Modules {
    folder: PathBuf,
}

impl Modules {
    /// These packages, fetched now if they are not in the cache. Their install scripts are not run.
    ///
    /// # Errors
    /// When there is no Node with npm, or npm cannot get a package.
    pub fn with(name: &str, packages: &[&str]) -> Result<Self> {
        debian::program("node", "nodejs")?;
        debian::program("npm", "npm")?;
        let version = output(Command::new("node").arg("--version")).context("ask Node for its version")?;
        let key = blake3::hash(format!("{version}\n{}", packages.join("\n")).as_bytes()).to_hex();
        let folder = tidegate_build::cache_dir()?.join("npm").join(format!("{name}-{}", key.get(..16).unwrap_or(&key)));

        let _lock = tidegate_build::lock(&folder.with_extension("lock"))?;
        let modules = Self { folder };
        if !modules.folder.join(".complete").is_file() {
            modules.fetch(packages).with_context(|| format!("get {} from npm", packages.join(", ")))?;
        }
        Ok(modules)
    }

    /// A program of the packages.
    #[must_use]
    pub fn bin(&self, program: &str) -> PathBuf {
        self.folder.join("node_modules/.bin").join(program)
    }

    fn fetch(&self, packages: &[&str]) -> Result<()> {
        remove_folder(&self.folder)?;
        fs::create_dir_all(&self.folder).context("make the folder of the packages")?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]).arg(&self.folder);
        output(npm.args(packages))?;
        fs::write(self.folder.join(".complete"), packages.join("\n")).context("mark the packages whole")
    }
}
