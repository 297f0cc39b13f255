//! For benchmarks only: a file written as a restore writes it, with nothing to fetch and nothing to check.

use std::{
    fs::File,
    io,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use super::{
    buffer::Pool,
    read::{Span, spans},
    write::Out,
};

/// Writes `bytes` to a new file in parts of `part`, a multiple of 4 MiB, from several threads; they are durable when this
/// returns, the name is not.
///
/// # Errors
/// What the file system says.
pub fn write(path: &Path, bytes: u64, part: u64, threads: usize) -> io::Result<()> {
    let out = Out::new(File::options().read(true).write(true).create_new(true).open(path)?, bytes)?;
    let (spans, next) = (spans(bytes, part).collect::<Vec<Span>>(), AtomicUsize::new(0));
    let pool = Pool::new(usize::try_from(part).unwrap_or(usize::MAX), threads);
    let work = || -> io::Result<()> {
        let mut buffer = pool.take(usize::try_from(part).unwrap_or(usize::MAX));
        fastrand::Rng::with_seed(7).fill(buffer.room());
        while let Some(span) = spans.get(next.fetch_add(1, Ordering::Relaxed)) {
            out.write(&buffer, 0..span.len, span.offset)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let ended = workers.into_iter().map(|it| it.join().unwrap_or_else(|_| Err(io::Error::other("a panic"))));
        ended.collect::<io::Result<()>>()
    })?;
    out.finish()
}
