//! Numbers cut into planes: all lowest bytes, then all second ones, and so on. What is alike in neighbouring numbers (signs,
//! exponents, the zeros of a small difference) comes to stand together, apart from what is noise.
//!
//! A tile of words is changed in the first-level cache and then cut, byte by byte: the compiler makes vector code of
//! both loops, with the instructions that every x86-64 and AArch64 has. Measured on one core: 6 GB/s each way, and no
//! more with AVX2; what comes after is five times slower.

use crate::{frame::Method, word::Word};

const TILE: usize = 1024;

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
    let mut tile = [W::ZERO; TILE];
    let tiles = words.chunks(TILE * W::WIDTH).zip(reference.chunks(TILE * W::WIDTH));
    for (nth, (words, reference)) in tiles.enumerate() {
        for (place, (word, reference)) in tile.iter_mut().zip(W::read(words).zip(W::read(reference))) {
            *place = map(word, reference);
        }
        for (number, plane) in planes.chunks_exact_mut(count).enumerate() {
            let plane = plane.iter_mut().skip(nth * TILE).take(words.len() / W::WIDTH);
            plane.zip(&tile).for_each(|(place, word)| *place = word.byte(number));
        }
    }
}

#[inline(always)]
fn put<W: Word>(planes: &[&[u8]], reference: &[u8], words: &mut [u8], map: impl Fn(W, W) -> W) {
    let tiles = words.chunks_mut(TILE * W::WIDTH).zip(reference.chunks(TILE * W::WIDTH));
    for (nth, (words, reference)) in tiles.enumerate() {
        let mut tile = [W::ZERO; TILE];
        for (number, plane) in planes.iter().take(W::WIDTH).enumerate() {
            let plane = plane.iter().skip(nth * TILE);
            tile.iter_mut().zip(plane).for_each(|(word, byte)| *word = word.with(number, *byte));
        }
        W::change(words, tile.into_iter().zip(W::read(reference)).map(|(word, reference)| map(word, reference)));
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
