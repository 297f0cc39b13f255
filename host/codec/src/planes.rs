//! Numbers cut into planes: all lowest bytes, then all second ones, and so on. What is alike in neighbouring numbers (signs,
//! exponents, the zeros of a small difference) comes to stand together, apart from what is noise.
//!
//! A tile of words is changed in the first-level cache and then cut, byte by byte: the compiler makes vector code of
//! both loops, with the instructions that every x86-64 and AArch64 has. Measured on one core: 6 GB/s each way, and no
//! more with AVX2; what comes after is five times slower.

use crate::word::Word;

const TILE: usize = 2048;

/// Cuts `words` into planes, each word changed by `map` on the way, which is given the word and the base's. `planes` gets
/// `W::WIDTH` planes, one after the other. Both slices hold the same number of whole words.
#[inline(always)]
pub(crate) fn split<W: Word>(words: &[u8], base: &[u8], planes: &mut Vec<u8>, map: impl Fn(W, W) -> W) {
    planes.clear();
    planes.resize(words.len(), 0);
    let count = words.len() / W::WIDTH;
    let mut tile = [W::ZERO; TILE];
    let tiles = words.chunks(TILE * W::WIDTH).zip(base.chunks(TILE * W::WIDTH));
    for (nth, (words, base)) in tiles.enumerate() {
        for (place, (word, base)) in tile.iter_mut().zip(W::read(words).zip(W::read(base))) {
            *place = map(word, base);
        }
        for (number, plane) in planes.chunks_exact_mut(count).enumerate() {
            let plane = plane.iter_mut().skip(nth * TILE).take(words.len() / W::WIDTH);
            plane.zip(&tile).for_each(|(place, word)| *place = word.byte(number));
        }
    }
}

/// Puts words together from their planes; `map` is given what the planes say and the base's word.
#[inline(always)]
pub(crate) fn join<W: Word>(planes: &[u8], base: &[u8], words: &mut [u8], map: impl Fn(W, W) -> W) {
    let count = words.len() / W::WIDTH;
    let tiles = words.chunks_mut(TILE * W::WIDTH).zip(base.chunks(TILE * W::WIDTH));
    for (nth, (words, base)) in tiles.enumerate() {
        let mut tile = [W::ZERO; TILE];
        for (number, plane) in planes.chunks_exact(count).enumerate() {
            let plane = plane.iter().skip(nth * TILE);
            tile.iter_mut().zip(plane).for_each(|(word, byte)| *word = word.with(number, *byte));
        }
        W::change(words, tile.into_iter().zip(W::read(base)).map(|(word, base)| map(word, base)));
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
        for (cut, put) in [(W::difference as fn(W, W) -> W, W::sum as fn(W, W) -> W), (W::xor, W::xor)] {
            split::<W>(words, base, &mut planes, cut);
            let mut back = vec![0; whole];
            join::<W>(&planes, base, &mut back, put);
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
        split::<u32>(&[1, 2, 3, 4, 11, 12, 13, 14], &[0; 8], &mut planes, |word, _| word);
        assert_eq!(planes, [1, 11, 2, 12, 3, 13, 4, 14]);
    }
}
