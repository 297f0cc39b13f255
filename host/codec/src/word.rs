//! Little-endian words of one, two, four and eight bytes, and their differences.

/// A number as the codecs see it: bits that can be subtracted.
pub(crate) trait Word: Copy {
    /// Bytes: 1, 2, 4 or 8.
    const WIDTH: usize;
    /// The words of `bytes`; what is left over at the end is left out.
    fn read(bytes: &[u8]) -> impl Iterator<Item = Self>;

    /// Puts words into `bytes`, each made of the one that stands there.
    fn change(bytes: &mut [u8], words: impl Iterator<Item = Self>);

    /// The difference from `base`, folded so that small ones of either sign are small: 0, -1, 1, -2 become 0, 1, 2, 3.
    fn difference(self, base: Self) -> Self;

    /// The word whose [`Word::difference`] from `base` this is.
    fn sum(self, base: Self) -> Self;

    /// What it is less than `base` by; and the word that is less by this.
    fn less(self, base: Self) -> Self;

    /// The bits that differ.
    fn xor(self, base: Self) -> Self;
}

macro_rules! word {
    ($word:ident, $signed:ident, $width:literal) => {
        impl Word for $word {
            const WIDTH: usize = $width;

            #[inline(always)]
            fn read(bytes: &[u8]) -> impl Iterator<Item = Self> {
                bytes.as_chunks::<$width>().0.iter().map(|bytes| Self::from_le_bytes(*bytes))
            }

            #[inline(always)]
            fn change(bytes: &mut [u8], words: impl Iterator<Item = Self>) {
                for (place, word) in bytes.as_chunks_mut::<$width>().0.iter_mut().zip(words) {
                    *place = word.to_le_bytes();
                }
            }

            #[inline(always)]
            fn difference(self, base: Self) -> Self {
                let difference = self.wrapping_sub(base).cast_signed();
                ((difference << 1) ^ (difference >> ($signed::BITS - 1))).cast_unsigned()
            }

            #[inline(always)]
            fn sum(self, base: Self) -> Self {
                base.wrapping_add((self >> 1) ^ (self & 1).wrapping_neg())
            }

            #[inline(always)]
            fn less(self, base: Self) -> Self {
                base.wrapping_sub(self)
            }

            #[inline(always)]
            fn xor(self, base: Self) -> Self {
                self ^ base
            }
        }
    };
}

word!(u8, i8, 1);
word!(u16, i16, 2);
word!(u32, i32, 4);
word!(u64, i64, 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_difference_of_either_sign_is_small() {
        assert_eq!(Word::difference(7_u32, 5), 4);
        assert_eq!(Word::difference(5_u32, 7), 3);
        assert_eq!(Word::difference(0_u16, u16::MAX), 2);
        assert_eq!(Word::difference(0x80_u8, 0), 0xff);
    }

    #[test]
    fn every_difference_of_bytes_leads_back() {
        for word in 0..=u8::MAX {
            for base in 0..=u8::MAX {
                assert_eq!(word.difference(base).sum(base), word);
                assert_eq!(word.xor(base).xor(base), word);
                assert_eq!(word.less(base).less(base), word);
            }
        }
    }
}
