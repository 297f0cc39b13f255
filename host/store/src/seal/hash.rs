use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tidegate_core::{Digest, FileEntry, limits};

use crate::{
    Error, Result,
    error::Context,
    store::lock,
    tier::{self, FileStat},
};

/// One block of one file.
struct Piece {
    file: usize,
    offset: u64,
    len: usize,
}

fn pieces(files: &[FileStat]) -> Vec<Piece> {
    let blocks = files.iter().enumerate().flat_map(|(nth, file)| {
        (0..file.size.div_ceil(limits::BLOCK_BYTES)).map(move |block| {
            let offset = block * limits::BLOCK_BYTES;
            let len = (file.size - offset).min(limits::BLOCK_BYTES);
            Piece { file: nth, offset, len: usize::try_from(len).unwrap_or(usize::MAX) }
        })
    });
    blocks.collect()
}

/// Digests of these files, made by at most `threads` threads at low priority; memory is one block a thread.
///
/// # Errors
/// A file that is missing, shorter than it was, or can't be read; [`Error::Closing`] once `stop` is set.
pub(crate) fn hash_files(top: &Path, files: &[FileStat], threads: usize, stop: &AtomicBool) -> Result<Vec<FileEntry>> {
    let pieces = pieces(files);
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Option<Digest>>> = Mutex::new(vec![None; pieces.len()]);
    let failed: Mutex<Option<Error>> = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, 64).min(pieces.len()) {
            scope.spawn(|| {
                // On Linux this is the priority of this thread alone. Without the right to it, hashing goes on as it is.
                let _ = rustix::process::nice(10);
                if let Err(error) = hash_some(top, files, &pieces, &next, &done, stop) {
                    *lock(&failed) = Some(error);
                    next.store(pieces.len(), Ordering::Relaxed);
                }
            });
        }
    });
    if let Some(error) = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        return Err(error);
    }
    let mut digests = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).into_iter();
    let entries = files.iter().map(|file| {
        let count = usize::try_from(file.size.div_ceil(limits::BLOCK_BYTES)).unwrap_or(usize::MAX);
        let blocks: Vec<Digest> = digests.by_ref().take(count).flatten().collect();
        FileEntry { path: file.path.clone(), size: file.size, digest: Digest::of_file(file.size, &blocks), blocks }
    });
    Ok(entries.collect())
}

fn hash_some(
    top: &Path,
    files: &[FileStat],
    pieces: &[Piece],
    next: &AtomicUsize,
    done: &Mutex<Vec<Option<Digest>>>,
    stop: &AtomicBool,
) -> Result<()> {
    let mut buffer = Vec::new();
    let mut open: Option<(usize, File)> = None;
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Closing);
        }
        let nth = next.fetch_add(1, Ordering::Relaxed);
        let Some(piece) = pieces.get(nth) else { return Ok(()) };
        let Some(stat) = files.get(piece.file) else { return Ok(()) };
        let path = top.join(stat.path.as_path());
        let file = match open.take() {
            Some((which, file)) if which == piece.file => file,
            _ => tier::open(&path).during("open", &path)?,
        };
        buffer.resize(piece.len, 0);
        file.read_exact_at(&mut buffer, piece.offset).during("read", &path)?;
        let digest = Digest::of(&buffer);
        if let Some(slot) = lock(done).get_mut(nth) {
            *slot = Some(digest);
        }
        open = Some((piece.file, file));
    }
}

#[cfg(test)]
mod tests {
    use tidegate_core::FileHasher;

    use super::*;

    #[test]
    fn many_threads_make_the_digests_of_one() {
        let dir = tempfile::tempdir().unwrap();
        let sizes = [0, 1, limits::BLOCK_BYTES, limits::BLOCK_BYTES + 1, 3 * limits::BLOCK_BYTES - 1];
        let mut stats = Vec::new();
        for (nth, size) in sizes.into_iter().enumerate() {
            let bytes: Vec<u8> = (0..size).map(|i| (i * 31 + nth as u64) as u8).collect();
            let path: tidegate_core::RelPath = format!("f{nth}").parse().unwrap();
            std::fs::write(dir.path().join(path.as_path()), &bytes).unwrap();
            stats.push((FileStat { path, size, mtime: 0 }, bytes));
        }
        let files: Vec<FileStat> = stats.iter().map(|(stat, _)| stat.clone()).collect();
        for threads in [1, 4] {
            let entries = hash_files(dir.path(), &files, threads, &AtomicBool::new(false)).unwrap();
            for (entry, (_, bytes)) in entries.iter().zip(&stats) {
                let mut hasher = FileHasher::new();
                hasher.update(bytes);
                let (size, digest, blocks) = hasher.finish();
                assert_eq!((entry.size, entry.digest, &entry.blocks), (size, digest, &blocks));
            }
        }
    }
}
