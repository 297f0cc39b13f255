//! Which way a stretch is best kept, told from a few of its words.

use crate::{
    counts::Counts,
    frame::Method,
    planes,
    predict::{Reference, Way},
    word::Word,
};

/// Places in a stretch that are looked at.
const SPOTS: usize = 16;
/// Words of one spot.
const WORDS: usize = 256;
/// Bits that a plane must spare to be worth its coding, and that one is held to cost that is coded.
const CODING: f64 = 0.1;

/// Bits a word that a replay must spare to be worth its time.
const REPLAY: f64 = 0.75;

/// The way whose planes hold the least, by the entropy of their bytes; the first of those that hold as much.
pub(crate) fn choose<'a, W: Word>(ways: &[Way<'a>], words: &[u8], room: &mut Vec<u8>) -> Way<'a> {
    let plain = Way { method: Method::Planes, numbers: Default::default(), reference: Reference::None };
    let bits = |way: &Way<'_>, room: &mut Vec<u8>| bits::<W>(way.method, &way.reference, words, room);
    let mut best = (plain, f64::INFINITY);
    for way in ways {
        let bits = bits(way, room) + if way.method.replays() { REPLAY } else { 0.0 };
        if bits < best.1 {
            best = (*way, bits);
        }
    }
    best.0
}

/// Bits a word of these words as they are.
pub(crate) fn plain<W: Word>(words: &[u8]) -> f64 {
    bits::<W>(Method::Planes, &Reference::None, words, &mut Vec::new())
}

/// Bits a word of the sampled words, their planes each taken alone.
fn bits<W: Word>(method: Method, reference: &Reference<'_>, words: &[u8], room: &mut Vec<u8>) -> f64 {
    let mut counts: Vec<Counts> = vec![Counts::none(); W::WIDTH];
    let mut planes = Vec::with_capacity(WORDS * W::WIDTH);
    let stride = (words.len() / W::WIDTH / SPOTS).max(WORDS) * W::WIDTH;
    let mut start = 0;
    for spot in words.chunks(stride) {
        let spot = spot.get(..WORDS * W::WIDTH).unwrap_or(spot);
        let spot = spot.get(..spot.len() / W::WIDTH * W::WIDTH).unwrap_or_default();
        planes::split::<W>(method, spot, reference.at(start..start + spot.len(), room), &mut planes);
        start += stride;
        for (plane, counts) in planes.chunks_exact((spot.len() / W::WIDTH).max(1)).zip(&mut counts) {
            plane.iter().for_each(|byte| counts.add(*byte));
        }
    }
    counts.iter().map(Counts::entropy).map(|bits| if bits > 8.0 - CODING { 8.0 } else { bits + CODING }).sum()
}
