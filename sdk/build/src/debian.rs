//! The third way: a private toolchain unpacked from Debian's packages, without touching the system.
//!
//! Debian keeps a current Rust for its browsers (`rustc-web`). Its packages are downloaded by apt, which checks their
//! signatures, and unpacked below the user's cache:
//!
//! ```text
//! <cache>/wasm-rust/lock               held while one is made
//! <cache>/wasm-rust/<version>-<arch>/  one toolchain; renamed into place when it is whole
//!     complete                         the release of its rustc; written and synced before the rename
//!     root/usr/...                     what the packages hold
//! <cache>/wasm-rust/.making-*/         half made by a process that died; removed by the next
//! ```

mod apt;
mod packages;
mod root;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use self::{apt::Apt, packages::Package, root::Release};
use crate::{Error, Progress, Toolchain, cache};

/// Plugins need a compiler at least as new as this workspace's.
const OLDEST: &str = env!("CARGO_PKG_RUST_VERSION");

const FOLDER: &str = "wasm-rust";
const MARKER: &str = "complete";
const MAKING: &str = ".making-";

/// The newest private toolchain that an earlier call made whole, if it is new enough.
pub(crate) fn existing(cache_dir: &Path) -> Option<Toolchain> {
    let oldest = Release::parse(OLDEST)?;
    let entries = cache_dir.join(FOLDER).read_dir().ok()?.flatten();
    let whole = entries.filter_map(|entry| {
        let release = fs::read_to_string(entry.path().join(MARKER)).ok()?;
        Some((Release::parse(&release)?, entry.path().join("root")))
    });
    let (_, root) = whole.filter(|(release, _)| *release >= oldest).max()?;
    root::toolchain(&root).ok()
}

/// The private toolchain in the cache, made now if it is not there.
pub(crate) fn find(cache_dir: &Path, progress: Progress<'_>) -> Result<Toolchain, Error> {
    let folder = cache_dir.join(FOLDER);
    let _lock = cache::lock(&folder.join("lock"))?;
    if let Some(toolchain) = existing(cache_dir) {
        return Ok(toolchain);
    }
    remove_half_made(&folder)?;
    make(&folder, progress)
}

/// Downloads, unpacks, tries and renames into place. The lock is held.
fn make(folder: &Path, progress: Progress<'_>) -> Result<Toolchain, Error> {
    let making = tempfile::Builder::new().prefix(MAKING).tempdir_in(folder).map_err(Error::io("create in", folder))?;
    let mut apt = Apt::new(making.path(), progress)?;
    let mut planned = packages::plan(&apt);
    if !apt.has_fresh_lists() && !planned.as_ref().is_ok_and(|packages| new_enough(packages)) {
        // The system's lists may be as old as its image.
        progress("apt's package lists know no rustc-web that is new enough; fetching private lists");
        apt.fetch_lists(progress)?;
        planned = packages::plan(&apt);
    }
    let packages = planned?;
    let version = packages.first().map(|p| p.version.clone()).unwrap_or_default();
    let total: u64 = packages.iter().map(|p| p.size).sum();
    progress(&format!("downloading rustc {version} from Debian: {} packages, {}", packages.len(), megabytes(total)));

    let root = making.path().join("root");
    fs::create_dir_all(&root).map_err(Error::io("create", &root))?;
    for (index, Package { name, size, .. }) in packages.iter().enumerate() {
        progress(&format!("  {}/{} {name} ({})", index + 1, packages.len(), megabytes(*size)));
        apt.unpack(name, &root)?;
    }
    let release = root::try_out(&root)?;
    if Some(release) < Release::parse(OLDEST) {
        return Err(Error::Debian(format!(
            "Debian's packages hold rustc {release}, and {OLDEST} is the oldest that will do"
        )));
    }
    apt.tidy();
    publish(making, &folder.join(format!("{version}-{}", env::consts::ARCH)), release)
}

/// Whether the compiler among these packages, which is the first, may do. What it really is is seen when it runs.
fn new_enough(packages: &[Package]) -> bool {
    let version = packages.first().and_then(|package| package.version.split('+').next()).and_then(Release::parse);
    version >= Release::parse(OLDEST)
}

/// Marks the folder whole, syncs it and gives it its name.
fn publish(making: tempfile::TempDir, place: &Path, release: Release) -> Result<Toolchain, Error> {
    let marker = making.path().join(MARKER);
    fs::write(&marker, release.to_string()).map_err(Error::io("write", &marker))?;
    let handle = fs::File::open(making.path()).map_err(Error::io("open", making.path()))?;
    rustix::fs::syncfs(&handle).map_err(|e| Error::io("sync", making.path())(e.into()))?;
    // Whatever has the name is not whole, or it would have been found.
    if place.exists() {
        fs::remove_dir_all(place).map_err(Error::io("remove", place))?;
    }
    fs::rename(making.keep(), place).map_err(Error::io("rename to", place))?;
    root::toolchain(&place.join("root"))
}

fn remove_half_made(folder: &Path) -> Result<(), Error> {
    let entries = folder.read_dir().map_err(Error::io("list", folder))?;
    let half_made = entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with(MAKING));
    half_made
        .map(|e| e.path())
        .try_for_each(|path: PathBuf| fs::remove_dir_all(&path).map_err(Error::io("remove", path)))
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_the_marker_is_not_a_toolchain() {
        let cache = tempfile::tempdir().unwrap();
        let root = cache.path().join("wasm-rust/9.9.9-x/root/usr/bin");
        fs::create_dir_all(&root).unwrap();
        fs::write(root.join("rustc"), "").unwrap();
        fs::write(root.join("wasm-ld-22"), "").unwrap();
        assert!(existing(cache.path()).is_none());
        fs::write(cache.path().join("wasm-rust/9.9.9-x/complete"), "9.9.9").unwrap();
        assert!(existing(cache.path()).is_some());
    }

    #[test]
    fn a_toolchain_older_than_the_workspace_is_passed_over() {
        let cache = tempfile::tempdir().unwrap();
        let place = cache.path().join("wasm-rust/1.63.0-x");
        fs::create_dir_all(place.join("root/usr/bin")).unwrap();
        fs::write(place.join("root/usr/bin/wasm-ld-14"), "").unwrap();
        fs::write(place.join("complete"), "1.63.0").unwrap();
        assert!(existing(cache.path()).is_none());
    }

    #[test]
    fn a_compiler_that_old_lists_know_is_not_new_enough() {
        let package =
            |version: &str| vec![Package::parse(&format!("Package: rustc-web\nVersion: {version}\n")).unwrap()];
        assert!(new_enough(&package("1.96.0+dfsg1-1~deb12u2")) && new_enough(&package(&format!("{OLDEST}.0"))));
        assert!(!new_enough(&package("1.85.0+dfsg3-1~deb12u3")) && !new_enough(&[]));
    }

    #[test]
    fn what_a_dead_process_left_half_made_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join(".making-dead/root")).unwrap();
        fs::create_dir_all(folder.path().join("1.96.0-x")).unwrap();
        remove_half_made(folder.path()).unwrap();
        assert!(!folder.path().join(".making-dead").exists());
        assert!(folder.path().join("1.96.0-x").exists());
    }
}
