//! How an encoded block is written, and its reading without trust.
//!
//! ```text
//! block    = version (one byte: 1), count of parts (number, at most 4096), parts
//! part     = length of the bytes that it stands for (number, not 0: whole words), method (one byte), what the method says
//! method   = kind in the lower four bits, log2 of the width of a word in the next two, the rest 0
//!   0 raw          the bytes
//!   1 repeat       one word, repeated
//!   2 same         nothing: the bytes are those of the base
//!   3 planes       size of all that follows of the part (four bytes), planes of the words
//!   4 difference   the same, of the folded differences from the base
//!   5 xor          the same, of the bits that differ from the base
//!   6 less         the same, of what the words are less than the base by, as integers
//!   7 narrowed     the same, of the folded differences from the fp32 given, rounded to bf16 (width 2)
//!   8 seconds      the size as well; kept and new share of the second moments, kept share of the first, scale
//!                  of the gradient (singles); planes of the folded differences from the second moments predicted (width 4)
//!   9 weights      the size as well; rate, correction of the second moments, epsilon, decay (singles); planes of the folded
//!                  differences from the weights predicted (width 4)
//! planes   = for each 512 KiB of the part, and the rest: for each byte of a word, the lowest first: a plane
//! plane    = nothing if it has no bytes; else coding (one byte), what the coding says
//!   0 constant     one byte
//!   1 raw          the bytes
//!   2 zstd         size (number), one zstd frame
//!   4, 5, 6 packed 1, 2 or 4 bits of each byte: two planes, not packed. The first has 8, 4 or 2 of them in a byte, in its lowest
//!                  bits those of the plane's first stretch, then those of the second, and so on; each stretch is as long as
//!                  the packed plane, those at the end may be short or empty. Where all bits are set, the byte itself is
//!                  the next of the other plane
//! number   = LEB128, in its shortest form
//! folded   = 0, -1, 1, -2 … as 0, 1, 2, 3 …; a difference is the word minus that from which it is one, and integers wrap around
//! rounded  = to the nearest, from the middle to the even one; a NaN to its upper half with the bit 0x40 set
//! single   = IEEE 754, little-endian, as all that has a fixed size
//!
//! seconds  = kept * base + new * (g * g), with g = (first - kept_first * first_before) * scale
//! weights  = base - (rate * first / (sqrt(second * correction) + epsilon) + decay * base)
//!            in singles, from the left, as the brackets say; a NaN is 0x7fc00000
//! ```
//!
//! The bytes of base and fp32 are not in the block: who reads it must give those that it was made from. Nothing in it says
//! whether they are the right ones; the digest of what comes out does.

use std::ops::Range;

use crate::{Error, plane::take, varint};

const VERSION: u8 = 1;

/// Parts of one block. A block of 4 MiB has room for so many tensors of a kilobyte.
pub(crate) const PARTS: usize = 4096;

/// How the bytes of a part are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// As they are.
    Raw,
    /// One word, repeated.
    Repeat,
    /// Those of the base.
    Same,
    /// Planes of the words.
    Planes,
    /// Planes of the differences from the base, as integers.
    Difference,
    /// Planes of the bits that differ from the base.
    Xor,
    /// Planes of what is less than in the base.
    Less,
    /// Planes of the differences from fp32 words rounded to bf16.
    Narrowed,
    /// Planes of the differences from the second moments that AdamW would have come to.
    Seconds,
    /// Planes of the differences from the weights that AdamW would have come to.
    Weights,
}

/// What a part can't be read without: fields of [`Given`](crate::Given).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Needs {
    /// The same bytes of the base.
    pub base: bool,
    /// The fp32 words of which these bf16 words are roundings: twice as many bytes.
    pub wide: bool,
    /// The first moments of this step.
    pub first: bool,
    /// The first moments of the base.
    pub first_before: bool,
    /// The second moments of this step.
    pub second: bool,
}

impl Method {
    const ALL: [Self; 10] = [
        Self::Raw,
        Self::Repeat,
        Self::Same,
        Self::Planes,
        Self::Difference,
        Self::Xor,
        Self::Less,
        Self::Narrowed,
        Self::Seconds,
        Self::Weights,
    ];

    fn number(self) -> u8 {
        self as u8
    }

    /// What its bytes can't be read without.
    pub fn needs(self) -> Needs {
        let mut needs = Needs::default();
        match self {
            Self::Raw | Self::Repeat | Self::Planes => {}
            Self::Same | Self::Difference | Self::Xor | Self::Less => needs.base = true,
            Self::Narrowed => needs.wide = true,
            Self::Seconds => (needs.base, needs.first, needs.first_before) = (true, true, true),
            Self::Weights => (needs.base, needs.first, needs.second) = (true, true, true),
        }
        needs
    }

    /// Whether numbers stand before its planes.
    pub(crate) fn replays(self) -> bool {
        matches!(self, Self::Seconds | Self::Weights)
    }

    fn takes(self, width: usize) -> bool {
        match self {
            Self::Narrowed => width == 2,
            Self::Seconds | Self::Weights => width == 4,
            _ => true,
        }
    }
}

/// One part of an encoded block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'a> {
    /// The bytes of the block that it stands for.
    pub range: Range<usize>,
    /// How they are kept.
    pub method: Method,
    /// Bytes of a word: 1, 2, 4 or 8.
    pub width: usize,
    pub(crate) payload: &'a [u8],
}

/// Begins a block of so many parts.
pub(crate) fn begin(parts: usize, out: &mut Vec<u8>) {
    out.push(VERSION);
    varint::put(parts as u64, out);
}

/// Appends a part that is kept as it is, put together from several slices.
pub(crate) fn put_raw<'a>(length: usize, slices: impl Iterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    put(length, Method::Raw, 1, &[], out);
    slices.for_each(|slice| out.extend_from_slice(slice));
}

/// Appends a part that has no planes: its head and what the method says.
pub(crate) fn put(length: usize, method: Method, width: usize, payload: &[u8], out: &mut Vec<u8>) {
    varint::put(length as u64, out);
    out.push(method.number() | (width.trailing_zeros() as u8) << 4);
    out.extend_from_slice(payload);
}

/// The encoded form of a block of `length` bytes, 1 or more, that are those of the base: who knows that by other means need not
/// read them.
pub fn same(length: usize) -> Vec<u8> {
    let mut block = Vec::new();
    begin(1, &mut block);
    put(length, Method::Same, 1, &[], &mut block);
    block
}

/// Appends a part whose planes `write` appends. `None` takes it back: they are as long as the bytes, or too long to tell.
pub(crate) fn put_planes(
    (length, method, width): (usize, Method, usize),
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
) -> Result<Option<()>, Error> {
    let start = out.len();
    put(length, method, width, &[0; SIZE], out);
    let head = out.len();
    write(out)?;
    let size = u32::try_from(out.len() - head).ok().filter(|_| out.len() - head + SIZE < length);
    match size.zip(out.get_mut(head - SIZE..head)) {
        Some((size, place)) => place.copy_from_slice(&size.to_le_bytes()),
        None => out.truncate(start),
    }
    Ok(size.map(|_| ()))
}

/// Bytes of the size of a part's planes.
const SIZE: usize = 4;

/// Takes an encoded block apart without decoding it: what it consists of, and what it needs.
///
/// # Errors
/// Bytes that are no encoded block of `length` bytes.
pub fn parts(mut bytes: &[u8], length: usize) -> Result<Vec<Part<'_>>, Error> {
    let from = &mut bytes;
    if take(from, 1)? != [VERSION] {
        return Err(Error::Unknown("version"));
    }
    let count = usize::try_from(varint::take(from)?).ok().filter(|count| *count <= PARTS);
    let count = count.ok_or(Error::Unknown("count of parts"))?;
    let mut parts = Vec::with_capacity(count);
    let mut start = 0;
    for _ in 0..count {
        let part = part(from, start, length)?;
        start = part.range.end;
        parts.push(part);
    }
    match from.len() {
        0 if start == length => Ok(parts),
        0 => Err(Error::Length { got: start, want: length }),
        rest => Err(Error::Long(rest)),
    }
}

fn part<'a>(from: &mut &'a [u8], start: usize, end: usize) -> Result<Part<'a>, Error> {
    let length = varint::take(from)?;
    let length = usize::try_from(length).ok().filter(|length| *length > 0 && *length <= end - start);
    let length = length.ok_or(Error::Unknown("length of a part"))?;
    let (kind, width) = match take(from, 1)? {
        [method] if method >> 6 == 0 => (method & 0xf, 1_usize << (method >> 4)),
        _ => return Err(Error::Unknown("method")),
    };
    let method = Method::ALL.into_iter().find(|method| method.number() == kind).ok_or(Error::Unknown("method"))?;
    let whole = length.is_multiple_of(width) && method.takes(width);
    if !whole {
        return Err(Error::Unknown("width of a word"));
    }
    let size = match method {
        Method::Raw => length,
        Method::Repeat => width,
        Method::Same => 0,
        _ => size(from)?,
    };
    Ok(Part { range: start..start + length, method, width, payload: take(from, size)? })
}

fn size(from: &mut &[u8]) -> Result<usize, Error> {
    let bytes = take(from, SIZE)?.first_chunk().ok_or(Error::Short)?;
    usize::try_from(u32::from_le_bytes(*bytes)).map_err(|_| Error::Short)
}
