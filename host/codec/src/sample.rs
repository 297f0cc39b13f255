//! Which way a stretch is best kept, told from a few of its words.

use crate::{frame::Method, predict::Prediction, word::Word};

/// Places in a stretch that are looked at.
const SPOTS: usize = 16;
/// Words of one spot.
const WORDS: usize = 256;

/// The method whose planes hold the least, by the entropy of their bytes: of the words as they are, of what they differ from
/// `base` by, and of what they differ from each prediction by.
pub(crate) fn choose<'a, W: Word>(
    words: &[u8],
    base: Option<&[u8]>,
    predicted: impl Iterator<Item = Prediction<'a>>,
) -> Method {
    let mut best = (Method::Planes, plain::<W>(words));
    let mut consider = |method, bits: f64| {
        if bits < best.1 {
            best = (method, bits);
        }
    };
    if let Some(base) = base {
        consider(Method::Difference, bits::<W>(words, base, W::difference));
        consider(Method::Xor, bits::<W>(words, base, W::xor));
    }
    for made in predicted {
        consider(made.method, bits::<W>(words, made.words, W::difference));
    }
    best.0
}

/// Bits a word of these words as they are.
pub(crate) fn plain<W: Word>(words: &[u8]) -> f64 {
    bits::<W>(words, words, |word, _| word)
}

/// Bits a word of the sampled words, changed by `map`, their planes each taken alone.
fn bits<W: Word>(words: &[u8], base: &[u8], map: impl Fn(W, W) -> W) -> f64 {
    let mut counts = [[0_u32; 256]; 8];
    let mut seen = 0_u32;
    let stride = (words.len() / W::WIDTH / SPOTS).max(WORDS) * W::WIDTH;
    for (words, base) in words.chunks(stride).zip(base.chunks(stride)) {
        for (word, base) in W::read(words).zip(W::read(base)).take(WORDS) {
            let word = map(word, base);
            seen += 1;
            for (plane, counts) in counts.iter_mut().take(W::WIDTH).enumerate() {
                if let Some(count) = counts.get_mut(usize::from(word.byte(plane))) {
                    *count += 1;
                }
            }
        }
    }
    counts.iter().take(W::WIDTH).map(|counts| entropy(counts, seen)).sum()
}

fn entropy(counts: &[u32; 256], seen: u32) -> f64 {
    let seen = f64::from(seen.max(1));
    let share = |count: &u32| f64::from(*count) / seen;
    counts.iter().filter(|count| **count > 0).map(share).map(|share| -share * share.log2()).sum()
}
