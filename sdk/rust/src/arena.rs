//! Where a component's memory comes from: the first 64 KiB out of the memory that every instance is born with, the rest
//! from the standard allocator.
//!
//! Few handlers need more, and growing memory costs the host two system calls an event: 5 µs of the 14 µs of a cold
//! event, measured. An instance lives for one event, so what is freed in the arena is not used again, except for the
//! newest piece, which lets strings and lists grow in place.
#![allow(unsafe_code, reason = "an allocator cannot be written without")]
#![cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "other targets only test it"))]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::{Cell, UnsafeCell},
};

/// The alignment of the arena; what wants more goes to the system.
const ALIGN: usize = 16;

#[repr(align(16))]
struct Arena<const BYTES: usize> {
    bytes: UnsafeCell<[u8; BYTES]>,
    /// Where the free part begins, and where the newest piece does.
    free: Cell<usize>,
    newest: Cell<usize>,
}

// SAFETY: a component has one thread.
#[cfg(target_arch = "wasm32")]
unsafe impl<const BYTES: usize> Sync for Arena<BYTES> {}

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ARENA: Arena<{ 64 << 10 }> = Arena::new();

impl<const BYTES: usize> Arena<BYTES> {
    const fn new() -> Self {
        Self { bytes: UnsafeCell::new([0; BYTES]), free: Cell::new(0), newest: Cell::new(0) }
    }

    fn base(&self) -> *mut u8 {
        self.bytes.get().cast()
    }

    /// Where a piece starts in the arena, if it is there.
    fn offset(&self, piece: *mut u8) -> Option<usize> {
        (piece as usize).checked_sub(self.base() as usize).filter(|offset| *offset < BYTES)
    }
}

// SAFETY: pieces of the arena are disjoint (each starts where the one before ends), aligned (the arena itself is to 16,
// and what wants more is the system's) and inside it; every other piece is the system's.
unsafe impl<const BYTES: usize> GlobalAlloc for Arena<BYTES> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.free.get().next_multiple_of(layout.align());
        match start.checked_add(layout.size()) {
            Some(end) if end <= BYTES && layout.align() <= ALIGN => {
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
                // SAFETY: the caller's alignment, and a size that the caller checked for it.
                let new = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
                if !new.is_null() {
                    // SAFETY: both are at least `layout.size()` long, and disjoint.
                    unsafe { new.copy_from_nonoverlapping(piece, layout.size()) };
                }
                new
            }
            // SAFETY: not from the arena, so from the system.
            None => unsafe { System.realloc(piece, layout, size) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A piece that is filled with its number.
    struct Piece {
        at: *mut u8,
        layout: Layout,
        fill: u8,
    }

    impl Piece {
        fn check(&self) {
            assert_eq!(self.at as usize % self.layout.align(), 0);
            // SAFETY: the piece is ours and that long.
            let bytes = unsafe { std::slice::from_raw_parts(self.at, self.layout.size()) };
            assert!(bytes.iter().all(|byte| *byte == self.fill));
        }
    }

    #[test]
    fn pieces_keep_their_bytes_whatever_comes_and_goes_around_them() {
        let arena = Box::new(Arena::<4096>::new());
        let (mut pieces, mut seed) = (Vec::<Piece>::new(), 7_u64);
        let mut draw = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((seed >> 33) % below) as usize
        };
        for round in 0..20_000_u32 {
            let fill = round as u8;
            // Now and then all goes, as it does with an instance, so that the arena itself is in use.
            if round % 100 == 0 {
                // SAFETY: each piece is freed once.
                pieces.drain(..).for_each(|piece| unsafe { arena.dealloc(piece.at, piece.layout) });
                arena.free.set(0);
                arena.newest.set(0);
            }
            match draw(3) {
                0 => {
                    let layout = Layout::from_size_align(1 + draw(200), 1 << draw(7)).unwrap();
                    // SAFETY: not of size zero, and filled to its size.
                    let at = unsafe { arena.alloc(layout) };
                    unsafe { at.write_bytes(fill, layout.size()) };
                    pieces.push(Piece { at, layout, fill });
                }
                1 if !pieces.is_empty() => {
                    let nth = draw(pieces.len() as u64);
                    let piece = pieces.swap_remove(nth);
                    piece.check();
                    // SAFETY: freed once, since it is taken out.
                    unsafe { arena.dealloc(piece.at, piece.layout) };
                }
                _ if !pieces.is_empty() => {
                    // The newest is what grows most in life.
                    let last = pieces.len() - 1;
                    let nth = if draw(2) == 0 { last } else { draw(pieces.len() as u64) };
                    let piece = pieces.swap_remove(nth);
                    let size = 1 + draw(400);
                    // SAFETY: its own layout; filled anew to its new size, after the kept part was looked at.
                    let at = unsafe { arena.realloc(piece.at, piece.layout, size) };
                    let kept = Layout::from_size_align(size.min(piece.layout.size()), piece.layout.align()).unwrap();
                    Piece { at, layout: kept, fill: piece.fill }.check();
                    unsafe { at.write_bytes(fill, size) };
                    let layout = Layout::from_size_align(size, piece.layout.align()).unwrap();
                    pieces.push(Piece { at, layout, fill });
                }
                _ => {}
            }
            pieces.iter().for_each(Piece::check);
        }
        // SAFETY: each piece is freed once.
        pieces.drain(..).for_each(|piece| unsafe { arena.dealloc(piece.at, piece.layout) });
    }

    #[test]
    fn the_newest_piece_grows_in_place_and_is_used_again() {
        let arena = Box::new(Arena::<1024>::new());
        let layout = Layout::from_size_align(16, 8).unwrap();
        // SAFETY: layouts are those that the pieces were made with.
        unsafe {
            let first = arena.alloc(layout);
            assert_eq!(arena.realloc(first, layout, 500), first);
            arena.dealloc(first, Layout::from_size_align(500, 8).unwrap());
            assert_eq!(arena.alloc(layout), first);
        }
    }
}
