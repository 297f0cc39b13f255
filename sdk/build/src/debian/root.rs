//! An unpacked toolchain: what it needs from the environment, and whether it runs.

use std::{
    env,
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Error, Toolchain, process::run};

/// A release of rustc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Release(u32, u32, u32);

impl Release {
    /// Reads `1.96.0`, and `1.96` too; what follows the third number is ignored.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.trim().split(['.', '-', '+']).map(|part| part.parse().ok());
        Some(Self(numbers.next()??, numbers.next()??, numbers.next().flatten().unwrap_or(0)))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The toolchain of an unpacked root.
pub(super) fn toolchain(root: &Path) -> Result<Toolchain, Error> {
    let bin = root.join("usr/bin");
    let env = vec![
        ("RUSTC".to_owned(), bin.join("rustc").into_os_string()),
        // Building std is an unstable option of cargo; these compilers are released ones.
        ("RUSTC_BOOTSTRAP".to_owned(), "1".into()),
        ("LD_LIBRARY_PATH".to_owned(), library_path(root)),
        ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER".to_owned(), linker(&bin)?.into_os_string()),
    ];
    Ok(Toolchain::private(root, env))
}

/// Runs the compiler and the linker once, and looks for the source of std: a root that fails here is never published.
pub(super) fn try_out(root: &Path) -> Result<Release, Error> {
    let bin = root.join("usr/bin");
    let mut rustc = Command::new(bin.join("rustc"));
    let version = run(rustc.arg("-vV").env("LD_LIBRARY_PATH", library_path(root)))?.ok()?;
    let release = version.lines().find_map(|l| l.strip_prefix("release: ")).and_then(Release::parse);
    let release = release.ok_or_else(|| Error::Debian(format!("rustc -vV names no release: {version}")))?;

    let mut lld = Command::new(linker(&bin)?);
    run(lld.arg("--version").env("LD_LIBRARY_PATH", library_path(root)))?.ok()?;

    let source = root.join("usr/lib/rustlib/src/rust/library/std");
    if !source.is_dir() {
        return Err(Error::Debian(format!("the packages hold no source of std: no {}", source.display())));
    }
    Ok(release)
}

/// Debian's linker for WebAssembly is named after its LLVM: `wasm-ld-22`.
fn linker(bin: &Path) -> Result<PathBuf, Error> {
    let entries = bin.read_dir().map_err(Error::io("list", bin))?;
    let mut linkers = entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with("wasm-ld-"));
    linkers.next().map(|e| e.path()).ok_or_else(|| Error::Debian(format!("no wasm-ld-NN in {}", bin.display())))
}

/// The private libraries first, then what the caller had.
fn library_path(root: &Path) -> OsString {
    let lib = root.join("usr/lib");
    let mut folders = vec![lib.join(format!("{}-linux-gnu", env::consts::ARCH)), lib];
    if let Some(path) = env::var_os("LD_LIBRARY_PATH") {
        folders.extend(env::split_paths(&path));
    }
    // Only a folder with a colon in its name cannot be joined, and no loader could use it.
    env::join_paths(folders).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_as_numbers() {
        assert!(Release::parse("1.100.0") > Release::parse("1.96.0"));
        assert_eq!(Release::parse("1.96"), Release::parse("1.96.0\n"));
        assert_eq!(Release::parse("1.97.0-nightly").unwrap().to_string(), "1.97.0");
        assert_eq!(Release::parse("soon"), None);
    }
}
