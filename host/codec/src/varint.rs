//! Numbers of variable length: seven bits a byte, the lowest first, the top bit set on all but the last (LEB128).

use crate::Error;

pub(crate) fn put(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes a number from the front. Only the shortest way to write it is taken, so that equal frames are equal bytes.
pub(crate) fn take(from: &mut &[u8]) -> Result<u64, Error> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = from.split_first().ok_or(Error::Short)?;
        *from = rest;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 || shift > 0 && byte == 0 {
            return Err(Error::Unknown("number"));
        }
        number |= bits << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Error::Unknown("number"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_number_comes_back(number: u64) {
            let mut bytes = Vec::new();
            put(number, &mut bytes);
            let mut rest = bytes.as_slice();
            prop_assert_eq!(take(&mut rest), Ok(number));
            prop_assert!(rest.is_empty());
        }
    }

    #[test]
    fn what_is_cut_too_large_or_longer_than_needed_is_refused() {
        for bytes in [&[][..], &[0x80], &[0x80, 0], &[0xff; 10], &[0xff; 11], &[0x80; 12]] {
            assert!(take(&mut { bytes }).is_err(), "{bytes:?}");
        }
    }
}
