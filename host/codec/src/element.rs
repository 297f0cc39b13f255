//! What a stretch of bytes is made of.

/// The kind of number that a stretch holds, one after the other, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Element {
    /// Bytes of no known shape, and numbers of one byte.
    Bytes,
    /// Two bytes each, not bf16: fp16, 16-bit integers.
    Two,
    /// bfloat16: the upper half of an fp32.
    Bf16,
    /// Four bytes each: fp32, 32-bit integers.
    Four,
    /// Eight bytes each: fp64, 64-bit integers.
    Eight,
}

impl Element {
    /// Bytes of one number: 1, 2, 4 or 8.
    pub const fn width(self) -> usize {
        match self {
            Self::Bytes => 1,
            Self::Two | Self::Bf16 => 2,
            Self::Four => 4,
            Self::Eight => 8,
        }
    }
}
