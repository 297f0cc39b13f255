//! Numbers cut into planes: all lowest bytes, then all second ones, and so on. What is alike in neighbouring numbers (signs,
//! exponents, the zeros of a small difference) comes to stand together, apart from what is noise.
//!
//! A tile of words is changed in the first-level cache and then cut in halves, even bytes from odd ones, as often as it takes: the
//! compiler makes vector code of all that, with the instructions that every x86-64 and AArch64 has. Measured on one
//! core, in the second-level cache: 9 GB/s there and 11 GB/s back, twice as fast as byte by byte.

use crate::{frame::Method, word::Word};

/// Bytes of a tile.
const TILE: usize = 4096;

/// Bytes of a part that are cut together; the planes of each such piece are written apart. They and what they are made of
/// stay in the second-level cache, and four planes are as long as a block of zstd.
pub(crate) const PIECE: usize = 512 << 10;

/// Cuts `words` into planes, the way that `method` says, of what they differ from `reference` by. `planes` gets
/// `W::WIDTH` planes, one after the other. Both slices hold the same number of whole words.
pub(crate) fn split<W: Word>(method: Method, words: &[u8], reference: &[u8], planes: &mut Vec<u8>) {
    match method {
        Method::Planes => cut::<W>(words, reference, planes, |word, _| word),
        Method::Xor => cut::<W>(words, reference, planes, W::xor),
        Method::Less => cut::<W>(words, reference, planes, W::less),
        _ => cut::<W>(words, reference, planes, W::difference),
    }
}

/// Puts words together from their planes and what they were made a difference of.
pub(crate) fn join<W: Word>(method: Method, planes: &[&[u8]], reference: &[u8], words: &mut [u8]) {
    match method {
        Method::Planes => put::<W>(planes, reference, words, |word, _| word),
        Method::Xor => put::<W>(planes, reference, words, W::xor),
        Method::Less => put::<W>(planes, reference, words, W::less),
        _ => put::<W>(planes, reference, words, W::sum),
    }
}

#[inline(always)]
fn cut<W: Word>(words: &[u8], reference: &[u8], planes: &mut Vec<u8>, map: impl Fn(W, W) -> W) {
    planes.resize(words.len(), 0);
    let count = words.len() / W::WIDTH;
    let (mut tile, mut other) = ([0; TILE], [0; TILE]);
    for (nth, (words, reference)) in words.chunks(TILE).zip(reference.chunks(TILE)).enumerate() {
        let (Some(mut from), Some(mut to)) = (tile.get_mut(..words.len()), other.get_mut(..words.len())) else {
            return;
        };
        W::change(from, W::read(words).zip(W::read(reference)).map(|(word, reference)| map(word, reference)));
        for stage in 0..W::WIDTH.trailing_zeros() {
            halve(from, from.len() >> stage, to);
            std::mem::swap(&mut from, &mut to);
        }
        let length = words.len() / W::WIDTH;
        for (number, plane) in planes.chunks_exact_mut(count).enumerate() {
            let (start, at) = (place(number, W::WIDTH) * length, nth * TILE / W::WIDTH);
            copy(from.get(start..start + length), plane.get_mut(at..at + length));
        }
    }
}

#[inline(always)]
fn put<W: Word>(planes: &[&[u8]], reference: &[u8], words: &mut [u8], map: impl Fn(W, W) -> W) {
    let (mut tile, mut other) = ([0; TILE], [0; TILE]);
    for (nth, (words, reference)) in words.chunks_mut(TILE).zip(reference.chunks(TILE)).enumerate() {
        let (Some(mut from), Some(mut to)) = (tile.get_mut(..words.len()), other.get_mut(..words.len())) else {
            return;
        };
        let length = words.len() / W::WIDTH;
        for (number, plane) in planes.iter().take(W::WIDTH).enumerate() {
            let (start, at) = (place(number, W::WIDTH) * length, nth * TILE / W::WIDTH);
            copy(plane.get(at..at + length), from.get_mut(start..start + length));
        }
        for stage in (0..W::WIDTH.trailing_zeros()).rev() {
            join_halves(from, from.len() >> stage, to);
            std::mem::swap(&mut from, &mut to);
        }
        let made = W::read(from).zip(W::read(reference)).map(|(word, reference)| map(word, reference));
        W::change(words, made);
    }
}

#[inline(always)]
fn copy(from: Option<&[u8]>, to: Option<&mut [u8]>) {
    if let (Some(from), Some(to)) = (from, to) {
        to.copy_from_slice(from);
    }
}

/// Where a plane stands once bytes were halved as often as it takes: at its number, the bits in reverse.
fn place(number: usize, width: usize) -> usize {
    (0..width.trailing_zeros()).fold(0, |place, bit| place << 1 | number >> bit & 1)
}

/// Cuts each `length` of bytes in two: those at even places, then those at odd ones.
#[inline(always)]
fn halve(from: &[u8], length: usize, to: &mut [u8]) {
    for (from, to) in from.chunks_exact(length).zip(to.chunks_exact_mut(length)) {
        let (even, odd) = to.split_at_mut(length / 2);
        let from = from.as_chunks::<2>().0;
        // Two loops: the compiler makes no vector code of one.
        even.iter_mut().zip(from).for_each(|(byte, two)| *byte = u16::from_le_bytes(*two) as u8);
        odd.iter_mut().zip(from).for_each(|(byte, two)| *byte = (u16::from_le_bytes(*two) >> 8) as u8);
    }
}

/// The way back.
#[inline(always)]
fn join_halves(from: &[u8], length: usize, to: &mut [u8]) {
    for (from, to) in from.chunks_exact(length).zip(to.chunks_exact_mut(length)) {
        let (even, odd) = from.split_at(length / 2);
        for (two, (even, odd)) in to.as_chunks_mut::<2>().0.iter_mut().zip(even.iter().zip(odd)) {
            *two = (u16::from(*even) | u16::from(*odd) << 8).to_le_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn there_and_back<W: Word>(words: &[u8], base: &[u8]) {
        let whole = words.len() / W::WIDTH * W::WIDTH;
        let (words, base) = (&words[..whole], &base[..whole]);
        let mut planes = Vec::new();
        for method in [Method::Planes, Method::Difference, Method::Xor, Method::Less] {
            split::<W>(method, words, base, &mut planes);
            let cut: Vec<&[u8]> = planes.chunks_exact((whole / W::WIDTH).max(1)).collect();
            let mut back = vec![0; whole];
            join::<W>(method, &cut, base, &mut back);
            assert_eq!(back, words);
        }
    }

    proptest! {
        #[test]
        fn words_come_back_from_planes_and_base(length in 0_usize..40_000, seed in any::<u64>()) {
            let mut random = seed | 1;
            let mut draw = || { random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1); (random >> 56) as u8 };
            let words: Vec<u8> = (0..length).map(|_| draw()).collect();
            let base: Vec<u8> = words.iter().map(|byte| if draw() < 100 { *byte } else { draw() }).collect();
            there_and_back::<u8>(&words, &base);
            there_and_back::<u16>(&words, &base);
            there_and_back::<u32>(&words, &base);
            there_and_back::<u64>(&words, &base);
        }
    }

    #[test]
    fn the_lowest_bytes_come_first() {
        let mut planes = Vec::new();
        split::<u32>(Method::Planes, &[1, 2, 3, 4, 11, 12, 13, 14], &[0; 8], &mut planes);
        assert_eq!(planes, [1, 11, 2, 12, 3, 13, 4, 14]);
    }
}
