//! Trees of files whose bytes follow from a seed, and what a directory really holds: the measure of every restore.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{self, Read},
    path::Path,
};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;

/// What a tree is to be made of. The same seed gives the same plan, and the same plan the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    seed: u64,
    /// Path below the top, and size in bytes.
    files: Vec<(String, u64)>,
}

/// The sizes and digests of all files below a directory, by path.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tree(BTreeMap<String, (u64, blake3::Hash)>);

const MIB: u64 = 1 << 20;

impl Plan {
    /// One to six files in up to three directories: some empty, most small, some of more than one block of 4 MiB.
    #[must_use]
    pub fn random(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let files = (0..rng.usize(1..=6)).map(|nth| {
            let folder = rng.choice(["", "", "optimizer/", "optimizer/m/", "gewichte ü/"]).unwrap_or_default();
            let size = match rng.u32(..100) {
                0..15 => 0,
                15..60 => rng.u64(1..=4096),
                60..85 => rng.u64(1..300 << 10),
                85..95 => rng.u64(1..2 * MIB),
                95..98 => 4 * MIB + rng.u64(0..2),
                _ => rng.u64(4 * MIB..9 * MIB),
            };
            (format!("{folder}part-{nth}.bin"), size)
        });
        Self { seed, files: files.collect() }
    }

    /// These files, each with its size in bytes.
    #[must_use]
    pub fn of(seed: u64, files: &[(&str, u64)]) -> Self {
        Self { seed, files: files.iter().map(|(path, size)| ((*path).to_owned(), *size)).collect() }
    }

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, size)| size).sum()
    }

    /// Writes the files below `top`, which must exist.
    ///
    /// # Errors
    /// What the file system says, for instance that the directory has gone.
    pub fn write(&self, top: &Path) -> io::Result<Tree> {
        let mut tree = BTreeMap::new();
        for (nth, (path, size)) in (0_u64..).zip(&self.files) {
            let bytes = content(self.seed, nth, *size);
            let to = top.join(path);
            if let Some(folder) = to.parent().filter(|folder| *folder != top) {
                fs::create_dir_all(folder)?;
            }
            fs::write(&to, &bytes)?;
            tree.insert(path.clone(), (*size, blake3::hash(&bytes)));
        }
        Ok(Tree(tree))
    }
}

/// Bytes that no two files share.
fn content(seed: u64, nth: u64, size: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(&nth.to_le_bytes());
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

impl Tree {
    /// Reads every file below a directory. Only plain files and directories may be there.
    ///
    /// # Errors
    /// What the file system says; an entry of another kind.
    pub fn read(top: &Path) -> Result<Self> {
        let mut tree = BTreeMap::new();
        let mut todo = vec![(top.to_owned(), String::new())];
        while let Some((folder, below)) = todo.pop() {
            for entry in fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
                let entry = entry?;
                let path = format!("{below}{}", entry.file_name().to_string_lossy());
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    todo.push((entry.path(), format!("{path}/")));
                    continue;
                }
                ensure!(kind.is_file(), "{} is neither a file nor a directory", entry.path().display());
                let mut hasher = blake3::Hasher::new();
                let mut file = fs::File::open(entry.path()).with_context(|| format!("open {path}"))?;
                let mut buffer = vec![0; 1 << 20];
                loop {
                    let read = file.read(&mut buffer).with_context(|| format!("read {path}"))?;
                    let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
                    hasher.update(bytes);
                }
                tree.insert(path, (hasher.count(), hasher.finalize()));
            }
        }
        Ok(Self(tree))
    }

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.values().map(|(size, _)| size).sum()
    }

    /// How many files.
    #[must_use]
    pub fn files(&self) -> u64 {
        self.0.len() as u64
    }

    /// The paths of the files, in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The first difference to what was found, in words; none if they are equal bit for bit.
    #[must_use]
    pub fn difference(&self, found: &Self) -> Option<String> {
        let missing = self.0.iter().find_map(|(path, (size, digest))| match found.0.get(path) {
            None => Some(format!("{path} is missing")),
            Some((other, _)) if other != size => Some(format!("{path} has {other} bytes instead of {size}")),
            Some((_, other)) if other != digest => Some(format!("{path} has other bytes")),
            Some(_) => None,
        });
        let added = || found.0.keys().find(|path| !self.0.contains_key(*path));
        missing.or_else(|| added().map(|path| format!("{path} is there and was never written")))
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} files of {} bytes", self.files(), self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_gives_the_same_tree_again_and_it_reads_back() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for seed in 0..20 {
            let (a, b) = (a.path().join(seed.to_string()), b.path().join(seed.to_string()));
            fs::create_dir(&a).unwrap();
            fs::create_dir(&b).unwrap();
            let written = Plan::random(seed).write(&a).unwrap();
            assert_eq!(Plan::random(seed).write(&b).unwrap(), written);
            assert_eq!(written.bytes(), Plan::random(seed).bytes());
            assert_eq!(written.difference(&Tree::read(&b).unwrap()), None);
        }
    }

    #[test]
    fn every_difference_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let plan = Plan::of(1, &[("a/x", 10), ("y", 0)]);
        let tree = plan.write(dir.path()).unwrap();
        let differs = || tree.difference(&Tree::read(dir.path()).unwrap()).unwrap_or_default();
        fs::write(dir.path().join("z"), "").unwrap();
        assert!(differs().contains("never written"));
        fs::remove_file(dir.path().join("z")).unwrap();
        fs::write(dir.path().join("a/x"), [0; 10]).unwrap();
        assert!(differs().contains("other bytes"));
        fs::write(dir.path().join("a/x"), [0; 9]).unwrap();
        assert!(differs().contains("9 bytes"));
        fs::remove_file(dir.path().join("a/x")).unwrap();
        assert!(differs().contains("missing"));
    }
}
