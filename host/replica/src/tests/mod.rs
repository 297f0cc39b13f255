//! Behaviour against the two embedded kinds of target: memory and a directory. The servers are in `tests/`.

mod budget;
mod clouds;
mod credulous;
mod hostile;
mod packed;
mod restoring;
mod ship;
mod target;
mod tensors;
mod vectors;

use std::{fs, future::Future, path::PathBuf};

use tempfile::TempDir;
use tidegate_core::{Body, Digest, FileHasher, Metrics, RunName, Step, limits};

use crate::{Error, Options, Progress, RestoreOptions, Restored, Shipped, Source, Target, restore};

pub(crate) const BLOCK: usize = limits::BLOCK_BYTES as usize;

/// A sealed shard in a directory of its own.
pub(crate) struct Shard {
    pub(crate) dir: TempDir,
    pub(crate) body: Body,
    pub(crate) digest: Digest,
}

/// Bytes that differ from seed to seed and from block to block.
pub(crate) fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = vec![0; len];
    random.fill(&mut bytes);
    bytes
}

impl Shard {
    pub(crate) fn of_rank(rank: u64, world: u64, files: &[(&str, Vec<u8>)]) -> Self {
        Self::at(place().1, rank, world, files)
    }

    pub(crate) fn at(step: Step, rank: u64, world: u64, files: &[(&str, Vec<u8>)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let entry = |(path, bytes): &(&str, Vec<u8>)| {
            let place = dir.path().join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, bytes).unwrap();
            let mut hasher = FileHasher::new();
            hasher.update(bytes);
            let (size, digest, blocks) = hasher.finish();
            tidegate_core::FileEntry { path: path.parse().unwrap(), size, digest, blocks }
        };
        let mut files: Vec<_> = files.iter().map(entry).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let run = place().0;
        let (rank, world_size) = (rank.try_into().unwrap(), world.try_into().unwrap());
        let body = Body { version: Body::VERSION, run, step, rank, world_size, files };
        let digest = Digest::of(&body.encode().unwrap());
        Self { dir, body, digest }
    }

    pub(crate) fn new(files: &[(&str, Vec<u8>)]) -> Self {
        Self::of_rank(0, 1, files)
    }

    /// Files of every kind: empty, small, equal to another, of exact and of odd numbers of blocks, in directories.
    pub(crate) fn mixed() -> Self {
        let small = bytes(1, 1000);
        Self::new(&[
            ("empty", vec![]),
            ("a/small", small.clone()),
            ("a/b/same", small),
            ("exact", bytes(2, 2 * BLOCK)),
            ("large", bytes(3, 2 * BLOCK + 4097)),
        ])
    }

    pub(crate) async fn ship(&self, target: &Target) -> Result<Shipped, Error> {
        target.ship(&self.body, self.digest, &metrics(0.5), self.dir.path(), &Progress::new()).await
    }

    /// Changes one byte of a file.
    pub(crate) fn flip(&self, file: &str, at: usize) {
        let path = self.dir.path().join(file);
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    }

    /// The name of the object that holds a file.
    pub(crate) fn object(&self, target: &Target, file: &str) -> object_store::path::Path {
        let entry = self.body.files.iter().find(|entry| entry.path.as_str() == file).unwrap();
        let data = target.0.layout.data(&self.body.run, self.body.step, self.body.rank);
        data.join(entry.digest.to_string())
    }

    pub(crate) fn assert_restored(&self, into: &std::path::Path) {
        for entry in &self.body.files {
            let original = fs::read(self.dir.path().join(entry.path.as_path())).unwrap();
            assert!(fs::read(into.join(entry.path.as_path())).unwrap() == original, "{}", entry.path);
        }
        assert_eq!(count(into), self.body.files.len());
    }
}

/// Files below a directory.
pub(crate) fn count(dir: &std::path::Path) -> usize {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
}

pub(crate) fn place() -> (RunName, Step) {
    ("gpt".parse().unwrap(), 7.try_into().unwrap())
}

pub(crate) fn metrics(loss: f64) -> Metrics {
    Metrics::try_from(std::collections::BTreeMap::from([("loss".to_owned(), loss)])).unwrap()
}

/// Options under which even small files have several parts.
pub(crate) fn options() -> Options {
    Options { part_bytes: 1, layout: crate::Layout::Plain, ..Options::default() }
}

/// Runs a test against memory and against a directory.
pub(crate) async fn each<F: Future<Output = ()>>(test: impl Fn(Target) -> F) {
    test(Target::open("memory".parse().unwrap(), "memory://", options()).unwrap()).await;
    let dir = tempfile::tempdir().unwrap();
    let url = url::Url::from_directory_path(dir.path().join("bucket")).unwrap();
    test(Target::open("directory".parse().unwrap(), url.as_str(), options()).unwrap()).await;
}

/// A place to restore into.
pub(crate) struct Into {
    dir: TempDir,
}

impl Into {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("restored")
    }

    /// Nothing was left behind.
    pub(crate) fn assert_empty(&self) {
        let left: Vec<_> = fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

pub(crate) async fn bring(shard: &Shard, sources: &[Source<'_>], into: &Into) -> Result<Restored, Error> {
    restore(&shard.body, sources, &into.path(), RestoreOptions::default(), &Progress::new()).await
}
