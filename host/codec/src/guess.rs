//! What bytes without a header look like.

use crate::{Element, sample};

/// A width is believed when its planes hold at least this much less than the bytes as they come, in percent.
const MARGIN: f64 = 3.0;

/// The element whose byte planes hold the least, told from a sample that begins at the start of a word.
pub(crate) fn guess(bytes: &[u8]) -> Element {
    let alone = sample::plain::<u8>(bytes);
    let widths = [
        (Element::Two, sample::plain::<u16>(bytes) / 2.0),
        (Element::Four, sample::plain::<u32>(bytes) / 4.0),
        (Element::Eight, sample::plain::<u64>(bytes) / 8.0),
    ];
    let mut best = (Element::Bytes, alone * (1.0 - MARGIN / 100.0));
    for (element, bits) in widths {
        // A wider word holds no more than its half: it must be better by something.
        if bits < best.1 * 0.99 {
            best = (element, bits);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_their_bytes() {
        let wave = |n: u32| (f64::from(n) * 0.37).sin() * 0.02;
        let four: Vec<u8> = (0..16_384).flat_map(|n| (wave(n) as f32).to_le_bytes()).collect();
        let two: Vec<u8> = four.chunks_exact(4).flat_map(|word| [word[2], word[3]]).collect();
        let eight: Vec<u8> = (0..16_384).flat_map(|n| wave(n).to_le_bytes()).collect();
        let text: Vec<u8> = (0..16_384).flat_map(|n: u32| format!("{n} bottles\n").into_bytes()).collect();
        assert_eq!(guess(&four), Element::Four);
        assert_eq!(guess(&two), Element::Two);
        assert_eq!(guess(&eight), Element::Eight);
        assert_eq!(guess(&text), Element::Bytes);
        assert_eq!(guess(&[]), Element::Bytes);
    }
}
