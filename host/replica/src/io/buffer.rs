//! Large buffers that are used again: fresh memory for every part costs a page fault for each 4 KiB.

use std::{
    fmt,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

/// What `O_DIRECT` wants of addresses, offsets and lengths.
pub(crate) const ALIGN: usize = 4096;

/// Keeps buffers of one size for the next user.
#[derive(Debug)]
pub(crate) struct Pool {
    free: Mutex<Vec<Vec<u8>>>,
    bytes: usize,
    keep: usize,
}

impl Pool {
    /// For buffers of up to `bytes`; at most `keep` are kept.
    pub(crate) fn new(bytes: usize, keep: usize) -> Arc<Self> {
        Arc::new(Self { free: Mutex::default(), bytes: bytes.next_multiple_of(ALIGN), keep })
    }

    /// A buffer of `len` bytes, at most as many as the pool is for. What it holds is arbitrary. A small one is not the
    /// pool's: many may be in use at once.
    pub(crate) fn take(self: &Arc<Self>, len: usize) -> Buffer {
        let len = len.min(self.bytes);
        let small = len <= self.bytes / 2;
        let kept = if small { None } else { self.free.lock().unwrap_or_else(PoisonError::into_inner).pop() };
        let fresh = if small { len.next_multiple_of(ALIGN) } else { self.bytes };
        let storage = kept.unwrap_or_else(|| vec![0; fresh + ALIGN]);
        let start = storage.as_ptr().align_offset(ALIGN).min(ALIGN);
        Buffer { storage, start, len, pool: Arc::clone(self) }
    }
}

/// Bytes that start at an aligned address. Goes back to its pool when dropped.
pub(crate) struct Buffer {
    storage: Vec<u8>,
    start: usize,
    len: usize,
    pool: Arc<Pool>,
}

impl Buffer {
    /// All of it, to be filled.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        self.storage.get_mut(self.start..self.start + self.len).unwrap_or_default()
    }

    /// A part of it; empty where there is none.
    pub(crate) fn part(&self, range: Range<usize>) -> &[u8] {
        self.as_ref().get(range).unwrap_or_default()
    }

    /// A part of it with as many more bytes as make its length a multiple of [`ALIGN`]; what these hold is arbitrary.
    pub(crate) fn padded(&self, range: Range<usize>) -> &[u8] {
        let end = range.start + range.len().next_multiple_of(ALIGN);
        self.storage.get(self.start + range.start..self.start + end).unwrap_or_default()
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.storage.get(self.start..self.start + self.len).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut free = self.pool.free.lock().unwrap_or_else(PoisonError::into_inner);
        if self.storage.len() == self.pool.bytes + ALIGN && free.len() < self.pool.keep {
            free.push(std::mem::take(&mut self.storage));
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a buffer of {} bytes", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_padded_and_used_again() {
        let pool = Pool::new(9_000, 1);
        assert_eq!(pool.take(1 << 30).as_ref().len(), 12_288);
        let mut buffer = pool.take(7000);
        buffer.room().fill(7);
        let address = buffer.as_ref().as_ptr();
        assert_eq!(address as usize % ALIGN, 0);
        assert_eq!((buffer.part(0..7000).len(), buffer.padded(0..7000).len()), (7000, 8192));
        assert_eq!(buffer.padded(4096..5000).len(), 4096);
        assert_eq!(pool.take(100).padded(0..100).len(), 4096, "a small one is padded too");
        drop(buffer);
        assert_eq!(pool.take(6500).as_ref()[6499], 7);
    }
}
