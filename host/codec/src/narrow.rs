//! bf16 words as the roundings of fp32 words: a trainer that keeps both need only have one of them kept.

/// The bf16 words that fp32 words round to: to the nearest, ties to even, a NaN stays one. Bytes behind the last whole word are left out.
pub fn narrowed(wide: &[u8]) -> Vec<u8> {
    let mut narrow = Vec::new();
    round(wide, &mut narrow);
    narrow
}

/// Rounds each fp32 word to the nearest bf16, ties to even, as PyTorch and JAX do; a NaN stays one.
pub(crate) fn round(wide: &[u8], narrow: &mut Vec<u8>) {
    narrow.resize(wide.len() / 4 * 2, 0);
    for (place, word) in narrow.as_chunks_mut::<2>().0.iter_mut().zip(wide.as_chunks::<4>().0) {
        *place = nearest(u32::from_le_bytes(*word)).to_le_bytes();
    }
}

#[inline(always)]
fn nearest(word: u32) -> u16 {
    let rounded = word.wrapping_add(0x7fff + (word >> 16 & 1)) >> 16;
    let nan = word & 0x7fff_ffff > 0x7f80_0000;
    (if nan { word >> 16 | 0x40 } else { rounded }) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_to_the_even_neighbour_and_what_is_no_number_stays_none() {
        for (word, want) in [
            (1.0_f32.to_bits(), 0x3f80),
            (0x3f80_8000, 0x3f80),
            (0x3f81_8000, 0x3f82),
            (0x3f80_8001, 0x3f81),
            (f32::MAX.to_bits(), 0x7f80),
            (f32::INFINITY.to_bits(), 0x7f80),
            ((-0.0_f32).to_bits(), 0x8000),
            (0x7f80_0001, 0x7fc0),
        ] {
            assert_eq!(nearest(word), want, "{word:#x}");
        }
    }
}
