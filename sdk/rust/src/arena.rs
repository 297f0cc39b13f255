//! Where a component's memory comes from: the first 64 KiB out of the memory that every instance is born with, the rest
//! from the standard allocator.
//!
//! Few handlers need more, and growing memory costs the host two system calls an event: 5 µs of the 14 µs of a cold
//! event, measured. An instance lives for one event, so what is freed in the arena is not used again, except for the
//! newest piece, which lets strings and lists grow in place.
#![allow(unsafe_code, reason = "an allocator cannot be written without")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::{Cell, UnsafeCell},
};

const BYTES: usize = 64 << 10;

/// Aligned for whatever is likely.
#[repr(align(16))]
struct Arena {
    bytes: UnsafeCell<[u8; BYTES]>,
    /// Where the free part begins, and where the newest piece does.
    free: Cell<usize>,
    newest: Cell<usize>,
}

// SAFETY: a component has one thread.
unsafe impl Sync for Arena {}

#[global_allocator]
static ARENA: Arena = Arena { bytes: UnsafeCell::new([0; BYTES]), free: Cell::new(0), newest: Cell::new(0) };

impl Arena {
    fn base(&self) -> *mut u8 {
        self.bytes.get().cast()
    }

    /// Where a piece starts in the arena, if it is there.
    fn offset(&self, piece: *mut u8) -> Option<usize> {
        (piece as usize).checked_sub(self.base() as usize).filter(|offset| *offset < BYTES)
    }
}

// SAFETY: pieces of the arena are disjoint, aligned (the arena is to 16, larger alignments go to the system) and inside
// it; every other piece is the system's.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.free.get().next_multiple_of(layout.align());
        match start.checked_add(layout.size()) {
            Some(end) if end <= BYTES && layout.align() <= 16 => {
                self.newest.set(start);
                self.free.set(end);
                // SAFETY: start <= end <= BYTES.
                unsafe { self.base().add(start) }
            }
            // SAFETY: the caller's layout.
            _ => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        match self.offset(piece) {
            Some(start) if start == self.newest.get() => self.free.set(start),
            Some(_) => {}
            // SAFETY: not from the arena, so from the system.
            None => unsafe { System.dealloc(piece, layout) },
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match self.offset(piece) {
            Some(start) if start == self.newest.get() && size <= BYTES - start => {
                self.free.set(start + size);
                piece
            }
            Some(_) if size <= layout.size() => piece,
            Some(_) => {
                // SAFETY: the caller's alignment, and a size that it checked.
                let new = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
                if !new.is_null() {
                    // SAFETY: both are at least `layout.size()` long and disjoint.
                    unsafe { new.copy_from_nonoverlapping(piece, layout.size()) };
                }
                new
            }
            // SAFETY: not from the arena, so from the system.
            None => unsafe { System.realloc(piece, layout, size) },
        }
    }
}
