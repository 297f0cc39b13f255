//! What a failure to read says of the bytes.

use std::io::{Error, ErrorKind};

/// Whether a failed read says that the bytes are wrong or gone (there is no such file, it is cut off, it is no plain file,
/// the device can't read a sector), and not only that they can't be had now (no memory, no descriptors, no permission).
/// Only what speaks of the bytes may take a copy out of the count.
pub fn is_damage(error: &Error) -> bool {
    /// Input/output error; no data; bad message; structure needs cleaning; remote input/output error.
    const DEVICE: [i32; 5] = [5, 61, 74, 117, 121];
    match error.kind() {
        ErrorKind::NotFound
        | ErrorKind::UnexpectedEof
        | ErrorKind::InvalidData
        | ErrorKind::NotADirectory
        | ErrorKind::IsADirectory => true,
        // ELOOP: a link where a file was. Without a number it is our own words on what stands there.
        _ => error.raw_os_error().map_or(error.kind() == ErrorKind::Other, |code| code == 40 || DEVICE.contains(&code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_speaks_of_the_bytes_is_damage() {
        let [enoent, eio, eagain, enomem, eacces, enfile, emfile, eloop, ebusy] =
            [2, 5, 11, 12, 13, 23, 24, 40, 16].map(Error::from_raw_os_error);
        for damage in [enoent, eio, eloop, Error::other("it is a pipe"), ErrorKind::UnexpectedEof.into()] {
            assert!(is_damage(&damage), "{damage}");
        }
        for passing in [eagain, enomem, eacces, enfile, emfile, ebusy, ErrorKind::OutOfMemory.into()] {
            assert!(!is_damage(&passing), "{passing}");
        }
    }
}
