//! Several small bytes in one: planes that are nearly all zeros code better by Huffman when up to eight of them make a
//! symbol, and faster. What is too large for its place stands apart.
//!
//! The bytes of a symbol are not neighbours: each place holds a stretch of the plane, so that vector code packs and unpacks.

use crate::Error;

/// Bits that a byte may be cut to.
pub(crate) const BITS: [u32; 3] = [1, 2, 4];
/// Bytes that are looked at together for those that were cut.
const LOOK: usize = 16;

/// The largest byte of so many bits, which says that the byte stands apart.
pub(crate) fn top(bits: u32) -> u8 {
    (1 << bits) - 1
}

/// Bytes that `length` of `bits` bits are packed into.
pub(crate) fn packed(length: usize, bits: u32) -> usize {
    length.div_ceil(8 / bits as usize)
}

/// Packs `plane`; `apart` gets the bytes of `top` and more.
pub(crate) fn pack(plane: &[u8], bits: u32, into: &mut Vec<u8>, apart: &mut Vec<u8>) {
    let (top, length) = (top(bits), packed(plane.len(), bits));
    into.clear();
    into.resize(length, 0);
    for (lane, bytes) in (0..).zip(plane.chunks(length.max(1))) {
        let shift = lane * bits;
        into.iter_mut().zip(bytes).for_each(|(place, byte)| *place |= (*byte).min(top) << shift);
    }
    apart.clear();
    for bytes in plane.chunks(LOOK) {
        if bytes.iter().fold(0, |largest, byte| largest.max(*byte)) >= top {
            apart.extend(bytes.iter().filter(|byte| **byte >= top));
        }
    }
}

/// Fills `plane` from its packed form, and says how many bytes stand apart.
pub(crate) fn unpack(packed: &[u8], bits: u32, plane: &mut [u8]) -> usize {
    let top = top(bits);
    for (lane, bytes) in (0..).zip(plane.chunks_mut(packed.len().max(1))) {
        let shift = lane * bits;
        bytes.iter_mut().zip(packed).for_each(|(byte, place)| *byte = place >> shift & top);
    }
    let cut = |bytes: &[u8]| bytes.iter().map(|byte| u8::from(*byte == top)).sum::<u8>();
    plane.chunks(128).map(|bytes| usize::from(cut(bytes))).sum()
}

/// Puts the bytes that stand apart into their places.
pub(crate) fn mend(plane: &mut [u8], bits: u32, apart: &[u8]) -> Result<(), Error> {
    let (top, mut apart) = (top(bits), apart.iter());
    for bytes in plane.chunks_mut(LOOK) {
        if bytes.iter().fold(0, |largest, byte| largest.max(*byte)) == top {
            for byte in bytes.iter_mut().filter(|byte| **byte == top) {
                *byte = *apart.next().ok_or(Error::Short)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_plane_comes_back(
            plane in prop::collection::vec(prop_oneof![9 => Just(0_u8), 3 => 0_u8..5, 1 => any::<u8>()], 0..2000),
            bits in prop::sample::select(&BITS[..]),
        ) {
            let (mut into, mut apart, mut back) = (Vec::new(), Vec::new(), vec![0xaa; plane.len()]);
            pack(&plane, bits, &mut into, &mut apart);
            prop_assert_eq!(into.len(), packed(plane.len(), bits));
            prop_assert_eq!(unpack(&into, bits, &mut back), apart.len());
            mend(&mut back, bits, &apart).unwrap();
            prop_assert_eq!(back, plane);
        }
    }
}
