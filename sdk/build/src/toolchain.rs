//! A compiler for the target, and the three ways to come by one.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Error, Progress, debian, rustup};

/// The target of every plugin: no system interface at all.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// How a toolchain was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The target was installed for the active toolchain.
    Active,
    /// `rustup target add` put it there.
    Rustup,
    /// A private toolchain unpacked from Debian's packages; the system is untouched.
    Debian,
}

/// A compiler that can build for [`TARGET`].
#[derive(Clone, Debug)]
pub struct Toolchain {
    way: Way,
    /// The root that the private packages were unpacked into.
    root: Option<PathBuf>,
    /// Environment of every cargo call.
    env: Vec<(String, OsString)>,
    /// More arguments for `cargo build`.
    args: Vec<String>,
}

impl Toolchain {
    /// The active toolchain, which has the target.
    pub(crate) fn active(way: Way) -> Self {
        Self { way, root: None, env: Vec::new(), args: Vec::new() }
    }

    /// A private one below `root`. It brings the library's source only, so std is built with the first plugin.
    pub(crate) fn private(root: &Path, env: Vec<(String, OsString)>) -> Self {
        Self { way: Way::Debian, root: Some(root.into()), env, args: vec!["-Zbuild-std=std,panic_abort".into()] }
    }

    /// How it was come by.
    #[must_use]
    pub fn way(&self) -> Way {
        self.way
    }

    /// What it is, in words for a person.
    #[must_use]
    pub fn describe(&self) -> String {
        match (&self.root, self.way) {
            (Some(root), _) => format!("private toolchain from Debian packages in {}", root.display()),
            (None, Way::Rustup) => "active toolchain, target added by rustup".to_owned(),
            (None, _) => "active toolchain".to_owned(),
        }
    }

    /// `cargo build` for the target in `workspace`, free of compiler flags and wrappers that the caller's environment
    /// set for the host.
    pub(crate) fn cargo_build(&self, workspace: &Path) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(workspace).args(["build", "--target", TARGET]).args(&self.args);
        for variable in [
            "RUSTFLAGS",
            "CARGO_BUILD_RUSTFLAGS",
            "CARGO_BUILD_TARGET",
            "CARGO_TARGET_DIR",
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS",
            "RUSTC_WORKSPACE_WRAPPER",
        ] {
            command.env_remove(variable);
        }
        command.env("CARGO_ENCODED_RUSTFLAGS", self.remaps(workspace));
        command.envs(self.env.iter().map(|(k, v)| (k, v)));
        command
    }

    /// Flags that keep this machine's paths out of the panic messages of a plugin: the same source gives the same
    /// digest on every machine, and a published plugin tells nobody where it was built.
    fn remaps(&self, workspace: &Path) -> OsString {
        let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
        let cargo_home = cargo_home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
        let workspace = workspace.canonicalize().ok();
        let named = [(self.root.clone(), "/toolchain"), (cargo_home, "/cargo"), (workspace, "/workspace")];
        let mut flags = OsString::new();
        for (path, name) in named.into_iter().filter_map(|(path, name)| Some((path?, name))) {
            if !flags.is_empty() {
                flags.push("\u{1f}");
            }
            flags.push("--remap-path-prefix=");
            flags.push(path);
            flags.push("=");
            flags.push(name);
        }
        flags
    }
}

/// Finds a compiler for [`TARGET`]: the active toolchain if it has the target, else `rustup target add`, else (on Debian)
/// a private toolchain below `cache_dir`, made from the distribution's packages without touching the system.
///
/// The first use of the last way downloads about 110 MB; it is made under a lock and appears atomically, so a crash
/// half way leaves nothing that a later call would trust.
///
/// # Errors
/// [`Error::NoToolchain`] names the three ways and why each failed.
pub fn find_toolchain(cache_dir: &Path, progress: Progress<'_>) -> Result<Toolchain, Error> {
    let Err(active) = rustup::active() else { return Ok(Toolchain::active(Way::Active)) };
    // Made by an earlier call: no need to ask rustup again on a machine where it cannot help.
    if let Some(toolchain) = debian::existing(cache_dir) {
        return Ok(toolchain);
    }
    let Err(rustup) = rustup::add_target(progress) else { return Ok(Toolchain::active(Way::Rustup)) };
    progress(&format!("rustup could not add {TARGET}; trying Debian's packages"));
    match debian::find(cache_dir, progress) {
        Ok(toolchain) => Ok(toolchain),
        Err(debian) => Err(Error::NoToolchain { active, rustup, debian: debian.to_string() }),
    }
}

/// Finds a compiler in one way only, for those who want that one and no other.
///
/// # Errors
/// [`Error::NoToolchain`] or what the private toolchain lacked.
pub fn find_toolchain_by(way: Way, cache_dir: &Path, progress: Progress<'_>) -> Result<Toolchain, Error> {
    let untried = || "not tried".to_owned();
    match way {
        Way::Active => rustup::active().map(|()| Toolchain::active(way)).map_err(|active| Error::NoToolchain {
            active,
            rustup: untried(),
            debian: untried(),
        }),
        Way::Rustup => rustup::add_target(progress)
            .map(|()| Toolchain::active(way))
            .map_err(|rustup| Error::NoToolchain { active: untried(), rustup, debian: untried() }),
        Way::Debian => debian::find(cache_dir, progress),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_names_the_three_ways_and_why_each_failed() {
        let error = Error::NoToolchain { active: "a".into(), rustup: "b".into(), debian: "c".into() };
        let expected = "no Rust compiler for wasm32-unknown-unknown was found. Any one of these three ways will do:
  1. have the target in the active toolchain: a
  2. `rustup target add wasm32-unknown-unknown`: b
  3. on Debian, a private toolchain from its packages: c";
        assert_eq!(error.to_string(), expected);
    }
}
