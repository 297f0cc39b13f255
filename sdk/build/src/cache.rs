//! The user's cache folder and the locks that keep two builds from making the same thing at once.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
};

use crate::Error;

/// The user's cache folder: `$TIDEGATE_CACHE`, else `$XDG_CACHE_HOME/tidegate`, else `~/.cache/tidegate`.
///
/// It need not exist yet. Everything in it can be deleted at any time; it is made again when it is needed.
///
/// # Errors
/// [`Error::NoCache`] when none of the three variables is set.
pub fn cache_dir() -> Result<PathBuf, Error> {
    choose(env::var_os("TIDEGATE_CACHE"), env::var_os("XDG_CACHE_HOME"), env::var_os("HOME"))
}

fn choose(own: Option<OsString>, xdg: Option<OsString>, home: Option<OsString>) -> Result<PathBuf, Error> {
    let set = |value: Option<OsString>| value.filter(|v| !v.is_empty()).map(PathBuf::from);
    set(own)
        .or_else(|| set(xdg).filter(|p| p.is_absolute()).map(|p| p.join("tidegate")))
        .or_else(|| set(home).map(|p| p.join(".cache/tidegate")))
        .ok_or(Error::NoCache)
}

/// Takes the lock file at `path` for this process and waits for whoever holds it. It is free again when the value is
/// dropped, and also when the process dies. The file itself stays.
///
/// # Errors
/// [`Error::Io`] when the file cannot be made or locked.
pub fn lock(path: &Path) -> Result<File, Error> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    }
    let file = File::create(path).map_err(Error::io("create", path))?;
    file.lock().map_err(Error::io("lock", path))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_the_first_place_that_the_environment_names() {
        let some = |s: &str| Some(OsString::from(s));
        assert_eq!(choose(some("/a"), some("/b"), some("/c")).unwrap(), Path::new("/a"));
        assert_eq!(choose(None, some("/b"), some("/c")).unwrap(), Path::new("/b/tidegate"));
        assert_eq!(choose(some(""), None, some("/c")).unwrap(), Path::new("/c/.cache/tidegate"));
        assert!(matches!(choose(None, None, None), Err(Error::NoCache)));
    }

    #[test]
    fn a_relative_xdg_folder_is_ignored_as_its_specification_says() {
        let chosen = choose(None, Some("b".into()), Some("/c".into())).unwrap();
        assert_eq!(chosen, Path::new("/c/.cache/tidegate"));
    }
}
