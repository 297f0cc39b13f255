//! Values from bytes, with a liking for what lies at a bound.

/// Bytes that are used up from the front. Where there are none left, everything is zero.
#[derive(Debug)]
pub(super) struct Input<'a>(&'a [u8]);

/// Lengths of texts and lists, around every bound of the contract.
const LENGTHS: [usize; 20] =
    [0, 1, 2, 31, 32, 33, 63, 64, 65, 127, 128, 129, 256, 257, 512, 513, 1024, 4097, 65_536, 65_537];
/// Numbers, likewise.
const NUMBERS: [u64; 12] = [
    0,
    1,
    9,
    10,
    256,
    257,
    4096,
    4097,
    1_000_000_000_000_000,
    1_000_000_000_000_001,
    400 * 24 * 3600 * 1_000_000_000,
    u64::MAX,
];
/// What texts are made of: plain names, other letters, what could rewrite a terminal, separators.
const PIECES: [&str; 16] =
    ["a", "gpt-1b", "/", "..", ".", "-", "_", "A", "9", "é", "€", "😀", "\u{1b}[2J", "\0", "\u{202e}", " "];

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    pub(super) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    pub(super) fn number(&mut self) -> u64 {
        let kind = usize::from(self.byte());
        match NUMBERS.get(kind / 8) {
            Some(number) => number.wrapping_add((kind % 8) as u64).wrapping_sub(1),
            None => (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte())),
        }
    }

    pub(super) fn float(&mut self) -> f64 {
        f64::from_bits(self.number())
    }

    /// Up to about 64 KiB of UTF-8, as the canonical ABI has proven it.
    pub(super) fn text(&mut self) -> String {
        let length = self.length();
        let pieces = [self.piece(), self.piece()];
        let mut text = String::new();
        while text.len() < length {
            text.push_str(pieces.get(text.len() % 2).unwrap_or(&"a"));
        }
        text.truncate(text.floor_char_boundary(length));
        text
    }

    pub(super) fn bytes(&mut self) -> Vec<u8> {
        vec![self.byte(); self.length()]
    }

    pub(super) fn numbers(&mut self) -> Vec<u64> {
        let (number, by) = (self.number(), self.number() % 3);
        (0..self.length().min(1024) as u64).map(|n| number.wrapping_add(n * by)).collect()
    }

    pub(super) fn maybe<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| value(self))
    }

    fn length(&mut self) -> usize {
        // Long ones cost time and say little.
        let most = if self.byte() < 16 { LENGTHS.len() } else { LENGTHS.len() - 3 };
        LENGTHS.get(usize::from(self.byte()) % most).copied().unwrap_or_default()
    }

    fn piece(&mut self) -> &'static str {
        PIECES.get(usize::from(self.byte()) % PIECES.len()).unwrap_or(&"a")
    }
}
