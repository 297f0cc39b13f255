//! Programs that come as packages of Debian, taken from where they are, or installed if we may.

use std::{
    env,
    path::PathBuf,
    process::Command,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result, bail};

use crate::venv::output;

/// A program, and the package that brings it where `PATH` has none.
///
/// # Errors
/// When it is not there and can't be installed: only root may, with `apt-get`.
pub fn program(name: &str, package: &str) -> Result<PathBuf> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = find(name) {
        return Ok(path);
    }
    if !rustix::process::geteuid().is_root() || find("apt-get").is_none() {
        bail!("there is no `{name}` on the PATH; on Debian and Ubuntu it comes with the package {package}");
    }
    output(Command::new("apt-get").args(["update", "--quiet"]))?;
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--quiet", "--no-install-recommends", package]);
    output(install.env("DEBIAN_FRONTEND", "noninteractive"))?;
    find(name).with_context(|| format!("the package {package} brought no `{name}`"))
}

fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_taken() {
        assert!(program("sh", "dash").unwrap().ends_with("sh"));
    }
}
