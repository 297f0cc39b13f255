//! How often each byte stands in a plane, and what a Huffman code would make of that.

/// Bytes of one spot of a sample.
const SPOT: usize = 256;
/// Spots of a sample, spread evenly.
const SPOTS: usize = 16;

/// Occurrences of each byte.
#[derive(Clone)]
pub(crate) struct Counts {
    of: [u32; 256],
    seen: u32,
}

impl Counts {
    pub(crate) fn none() -> Self {
        Self { of: [0; 256], seen: 0 }
    }

    /// Those of some 4 KiB of a plane.
    pub(crate) fn sample(plane: &[u8]) -> Self {
        let mut counts = Self::none();
        for spot in plane.chunks((plane.len() / SPOTS).max(SPOT)) {
            spot.iter().take(SPOT).for_each(|byte| counts.add(*byte));
        }
        counts
    }

    #[inline(always)]
    pub(crate) fn add(&mut self, byte: u8) {
        if let Some(count) = self.of.get_mut(usize::from(byte)) {
            *count += 1;
        }
        self.seen += 1;
    }

    /// Bits a byte that no code by frequency goes under.
    pub(crate) fn entropy(&self) -> f64 {
        let log = |count: u32| f64::from(count) * f64::from(count).log2();
        let used: f64 = self.of.iter().filter(|count| **count > 1).map(|count| log(*count)).sum();
        let seen = f64::from(self.seen.max(1));
        seen.log2() - used / seen
    }

    /// Bits a byte when `lanes` of them are coded together by Huffman: no code is shorter than a bit.
    pub(crate) fn coded(&self, lanes: i32) -> f64 {
        let top = self.of.iter().max().map_or(0.0, |count| f64::from(*count) / f64::from(self.seen.max(1)));
        let top = top.powi(lanes);
        let lost = if top > 0.5 { top * (1.0 + top.log2()) } else { 0.0 };
        self.entropy() + lost / f64::from(lanes)
    }

    /// Apart: the bytes cut to at most `top`; and those that were cut, or just as large.
    pub(crate) fn cut(&self, top: u8) -> (Self, Self) {
        let (mut low, mut high) = (Self { seen: self.seen, ..Self::none() }, Self::none());
        for ((number, count), (low, high)) in (0..=u8::MAX).zip(&self.of).zip(low.of.iter_mut().zip(&mut high.of)) {
            *(if number < top { low } else { &mut *high }) = *count;
        }
        high.seen = high.of.iter().sum();
        if let Some(place) = low.of.get_mut(usize::from(top)) {
            *place = high.seen;
        }
        (low, high)
    }

    /// Share of these in `all`.
    pub(crate) fn share(&self, all: &Self) -> f64 {
        f64::from(self.seen) / f64::from(all.seen.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_those_of_the_frequencies() {
        let counts = |bytes: &[u8]| Counts::sample(bytes);
        assert_eq!(counts(&[7; 100]).entropy(), 0.0);
        assert_eq!(counts(&[1, 2, 3, 4]).entropy(), 2.0);
        assert_eq!(counts(&[7; 100]).coded(1), 1.0);
        assert_eq!(counts(&[7; 100]).coded(8), 0.125);
    }

    #[test]
    fn what_is_cut_counts_as_the_largest() {
        let (low, high) = Counts::sample(&[0, 0, 0, 1, 2, 3, 3, 200]).cut(3);
        assert_eq!((low.of[0], low.of[2], low.of[3], low.of[200], low.seen), (3, 1, 3, 0, 8));
        assert_eq!((high.of[2], high.of[3], high.of[200], high.seen), (0, 2, 1, 3));
    }
}
