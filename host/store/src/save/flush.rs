//! Writing behind the trainer: while it writes, what it has written goes to the device, so that the sync at the commit
//! finds little left. Without it the kernel lets dirty pages pile up until it slows the writer down: a plain write and
//! fsync of 512 MiB took 1.6 to 2.6 s where this took 0.25 to 0.37 s (two cores, ext4 on a virtual disk, four runs
//! each). It promises nothing; the commit syncs every file itself.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use tidegate_core::SaveId;

use super::Book;
use crate::{Result, error::Context, store::lock, tier::open};

/// A file is flushed when it has grown by so much.
const GROWN: u64 = 16 << 20;
/// How often open saves are looked at.
const TICK: Duration = Duration::from_millis(5);
/// Files of one save that are looked at: many small ones never grow enough to matter.
const FILES: usize = 256;
/// Files that are flushed at once.
const AT_ONCE: usize = 4;

/// Held by the flusher while it syncs a file of a save, and by the commit from its start on. Holds the first error: the
/// kernel reports a failed write-back once, and to whom it told it the commit must not sync in peace.
pub(crate) type Gate = Arc<Mutex<Option<String>>>;

/// The thread that flushes.
#[derive(Debug)]
pub(crate) struct Flusher {
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether there may be an open save.
    busy: Mutex<bool>,
    wake: Condvar,
    stop: AtomicBool,
}

impl Flusher {
    pub(crate) fn start(book: Arc<Book>, tier: &Path) -> Result<Self> {
        let state = Arc::new(State::default());
        let shared = state.clone();
        let thread = std::thread::Builder::new().name("tidegate-flush".into()).spawn(move || shared.run(&book));
        Ok(Self { state, thread: Some(thread.during("start a thread for", tier)?) })
    }

    /// A save was begun.
    pub(crate) fn wake(&self) {
        *lock(&self.state.busy) = true;
        self.state.wake.notify_one();
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::Relaxed);
        self.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl State {
    fn run(&self, book: &Book) {
        let mut flushed: HashMap<SaveId, HashMap<PathBuf, u64>> = HashMap::new();
        while !self.stop.load(Ordering::Relaxed) {
            let gates = book.gates();
            if gates.is_empty() {
                flushed.clear();
                let mut busy = lock(&self.busy);
                while !*busy {
                    busy = self.wake.wait(busy).unwrap_or_else(std::sync::PoisonError::into_inner);
                }
                *busy = false;
                continue;
            }
            flushed.retain(|id, _| gates.iter().any(|(other, ..)| other == id));
            let mut due = Vec::new();
            for (id, path, gate) in &gates {
                let done = flushed.entry(id.clone()).or_default();
                grown(path, done, &mut due, gate);
            }
            if due.is_empty() {
                std::thread::sleep(TICK);
            }
            for some in due.chunks(AT_ONCE) {
                std::thread::scope(|scope| {
                    some.iter().for_each(|(path, gate)| drop(scope.spawn(|| flush(path, gate))))
                });
            }
        }
    }
}

/// Files that have grown enough, and their new sizes as flushed.
fn grown(top: &Path, done: &mut HashMap<PathBuf, u64>, due: &mut Vec<(PathBuf, Gate)>, gate: &Gate) {
    let (mut todo, mut seen) = (vec![top.to_path_buf()], 0);
    while let Some(dir) = todo.pop() {
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        for entry in entries.flatten() {
            seen += 1;
            if seen > FILES {
                return;
            }
            // Of the entry itself: a link is never followed.
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                todo.push(entry.path());
            } else if meta.is_file() {
                let before = done.entry(entry.path()).or_default();
                if meta.len() >= before.saturating_add(GROWN) {
                    *before = meta.len();
                    due.push((entry.path(), gate.clone()));
                }
            }
        }
    }
}

fn flush(path: &Path, gate: &Gate) {
    // Held by a commit: it syncs everything now.
    let Ok(mut failed) = gate.try_lock() else { return };
    let synced = match open(path) {
        Ok(file) => file.sync_data(),
        // Renamed or removed by the trainer.
        Err(_) => return,
    };
    if let Err(error) = synced {
        failed.get_or_insert(format!("{}: {error}", path.display()));
    }
}
