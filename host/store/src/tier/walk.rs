use std::{
    collections::VecDeque,
    fs::{self, Metadata},
    io,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use tidegate_core::{RelPath, limits};

use super::{FileStat, open};
use crate::{Error, Result, error::Context};

/// What a trainer left in its staging directory.
#[derive(Debug)]
pub(crate) struct Walked {
    /// In the order of their paths.
    pub(crate) files: Vec<FileStat>,
    /// Every directory, parents before children, the top one first.
    pub(crate) dirs: Vec<PathBuf>,
}

impl Walked {
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// The most bytes that the manifest body of these files can have.
    pub(crate) fn body_bytes(&self) -> u64 {
        /// What CBOR needs for one file beside its path and its blocks, with room.
        const FILE: u64 = 160;
        /// And for one block's digest.
        const BLOCK: u64 = 36;
        let of = |file: &FileStat| {
            let blocks = file.size.div_ceil(limits::BLOCK_BYTES);
            (file.path.as_str().len() as u64 + FILE).saturating_add(blocks.saturating_mul(BLOCK))
        };
        self.files.iter().map(of).fold(1024, u64::saturating_add)
    }
}

/// Lists what can be committed: plain files and directories with plain names, each file with this one name only.
///
/// The top itself is looked at as well: its writer may have put something else in its place.
pub(crate) fn walk(top: &Path) -> Result<Walked> {
    if !fs::symlink_metadata(top).is_ok_and(|meta| meta.is_dir()) {
        return Err(bad(".", "the staging directory is no directory any more"));
    }
    let mut files = Vec::new();
    let mut dirs = vec![top.to_path_buf()];
    let mut todo = VecDeque::from([(top.to_path_buf(), String::new())]);
    while let Some((dir, below)) = todo.pop_front() {
        for entry in fs::read_dir(&dir).during("list", &dir)? {
            let entry = entry.during("list", &dir)?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                return Err(bad(&name.to_string_lossy(), "its name is not UTF-8"));
            };
            let rel: RelPath = if below.is_empty() { name.parse() } else { format!("{below}/{name}").parse() }?;
            // Of the entry itself: a link is never followed.
            let meta = entry.metadata().during("look at", entry.path())?;
            if meta.is_dir() {
                dirs.push(entry.path());
                todo.push_back((entry.path(), rel.into()));
            } else {
                files.push(accept(rel, &meta)?);
            }
            if files.len() + dirs.len() > limits::SHARD_FILES {
                return Err(bad(&below, "the save has more than a million files and directories"));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Walked { files, dirs })
}

fn bad(path: &str, rule: &str) -> Error {
    Error::BadFile { path: path.chars().take(300).collect(), rule: rule.into() }
}

fn accept(path: RelPath, meta: &Metadata) -> Result<FileStat> {
    let kind = meta.file_type();
    let rule = if kind.is_symlink() {
        "it is a symbolic link: write the file itself"
    } else if kind.is_block_device() || kind.is_char_device() {
        "it is a device"
    } else if !kind.is_file() {
        "it is neither a file nor a directory"
    } else if meta.nlink() != 1 {
        "it is a hard link: its bytes could change under another name; write a copy"
    } else {
        return Ok(FileStat::of(path, meta));
    };
    Err(bad(path.as_str(), rule))
}

/// Takes the right to write from everybody, so that a committed file is not changed by accident.
pub(crate) fn make_read_only(top: &Path, walked: &Walked) -> Result<()> {
    for file in &walked.files {
        let path = top.join(file.path.as_path());
        let mode = fs::Permissions::from_mode(0o444);
        let changed = match open(&path) {
            Ok(file) => file.set_permissions(mode),
            // Written so that its owner can't read it. Who is refused here has no rights that a link could borrow.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => fs::set_permissions(&path, mode),
            Err(error) => Err(error),
        };
        changed.during("make read-only", &path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tidegate_core::{Body, Digest, FileEntry};

    use super::*;

    #[test]
    fn the_bound_of_a_body_holds() {
        for (count, name, size) in [(1, 1, 0), (300, 255, 1), (3, 40, 100 * limits::BLOCK_BYTES + 1)] {
            let path = |nth: usize| -> RelPath { format!("{nth:0name$}").parse().unwrap() };
            let files = (0..count).map(|nth| FileStat { path: path(nth), size, mtime: i128::MAX });
            let walked = Walked { files: files.collect(), dirs: vec![] };
            let digest = Digest::of(b"x");
            let blocks = vec![digest; size.div_ceil(limits::BLOCK_BYTES) as usize];
            let entry = |file: &FileStat| FileEntry { path: file.path.clone(), size, digest, blocks: blocks.clone() };
            let files = walked.files.iter().map(entry).collect();
            let (rank, world_size) = (65_534.try_into().unwrap(), 65_535.try_into().unwrap());
            let (run, step) = ("r".repeat(128).parse().unwrap(), limits::STEP.try_into().unwrap());
            let body = Body { version: Body::VERSION, run, step, rank, world_size, files };
            let bytes = body.encode().unwrap().len() as u64;
            assert!(bytes <= walked.body_bytes(), "{bytes} and {}", walked.body_bytes());
        }
    }
}
