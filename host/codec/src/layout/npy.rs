//! npy: a magic number, a version, the length of a header and a Python dictionary that says `'descr': '<f4'`.

use std::ops::Range;

use super::{Read, Region};
use crate::Element;

const MAGIC: &[u8] = b"\x93NUMPY";
/// Bytes of a header that are looked at; NumPy itself takes 10,000 characters.
const LOOKED: u64 = 16 << 10;

/// The regions of an npy file that fills `within`.
pub(super) fn regions<E>(within: Range<u64>, name: &str, read: Read<'_, E>) -> Result<Option<Vec<Region>>, E> {
    let head = read(within.start..within.end.min(within.start + LOOKED))?;
    let data = || {
        let rest = head.strip_prefix(MAGIC)?;
        let (header, start) = match rest {
            [1, _, low, high, rest @ ..] => (rest.get(..usize::from(u16::from_le_bytes([*low, *high])))?, 10),
            [2 | 3, _, a, b, c, d, rest @ ..] => {
                (rest.get(..usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).ok()?)?, 12)
            }
            _ => return None,
        };
        let text = std::str::from_utf8(header).ok()?;
        let (_, after) = text.split_once("'descr'")?;
        let descr = after.trim_start_matches([':', ' ']).strip_prefix('\'')?.split('\'').next()?;
        Some((element(descr)?, within.start + start + header.len() as u64))
    };
    let region = |(element, start)| vec![Region { range: start..within.end, element, name: name.to_owned() }];
    Ok(data().filter(|(_, start)| *start <= within.end).map(region))
}

/// What NumPy writes for little-endian numbers; none for structures and objects.
fn element(descr: &str) -> Option<Element> {
    let (order, kind) = descr.split_at_checked(1)?;
    Some(match (order, kind) {
        ("<" | "=", "f2" | "i2" | "u2") => Element::Two,
        // How NumPy writes bf16 of ml_dtypes.
        ("<" | "|", "V2") => Element::Bf16,
        ("<" | "=", "f4" | "i4" | "u4") => Element::Four,
        ("<" | "=", "f8" | "i8" | "u8" | "c8" | "c16") => Element::Eight,
        ("|", _) => Element::Bytes,
        _ => return None,
    })
}
