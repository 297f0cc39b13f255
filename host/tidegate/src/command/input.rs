//! What people give on the command line: files, JSON and numbers, each read in one way and refused in one way.

use std::{fs::File, io::Read as _, ops::RangeInclusive, path::Path};

use serde_json::Value;
use tidegate_core::{quoted, told};

use crate::exit::Failure;

/// Bytes of a file of JSON.
const JSON_BYTES: usize = 1 << 20;

/// A whole file, or whatever else can be read, of at most so many bytes: what has no end is not waited for.
///
/// # Errors
/// [`Failure::Usage`]: a file that can't be read is a value that is not valid, whichever option names it.
pub(crate) fn file(path: &Path, most: usize) -> Result<Vec<u8>, Failure> {
    read(path, most).map_err(|why| Failure::Usage(unreadable(path, &why)))
}

/// The directory of a crate, as an absolute path.
///
/// # Errors
/// As [`file()`].
pub(crate) fn directory(path: &Path) -> Result<std::path::PathBuf, Failure> {
    path.canonicalize().map_err(|why| Failure::Usage(unreadable(path, &why.to_string())))
}

fn read(path: &Path, most: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(most as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| error.to_string())?;
    if bytes.len() > most { Err(format!("it has more than the {most} bytes that are taken")) } else { Ok(bytes) }
}

/// What is said of a file that can't be read.
pub(crate) fn unreadable(path: &Path, why: &str) -> String {
    format!("can't read {}: {why}", told(&path.display().to_string()))
}

/// A JSON text, or that of a file after `@`.
pub(crate) fn json(text: &str) -> Result<Value, String> {
    let Some(path) = text.strip_prefix('@').map(Path::new) else {
        return serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"));
    };
    let bytes = read(path, JSON_BYTES).map_err(|why| unreadable(path, &why))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| format!("{} is not JSON: {error}", told(&path.display().to_string())))
}

/// A whole number as it is written, without sign and leading zeros.
pub(crate) fn whole(text: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let number = text.parse().ok().filter(|number| plain && range.contains(number));
    number.ok_or_else(|| format!("{} is not a whole number from {} to {}", quoted(text), range.start(), range.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_what_it_looks_like() {
        assert_eq!(whole("0", 0..=100), Ok(0));
        assert_eq!(whole("100", 0..=100), Ok(100));
        for text in ["", "+5", "-5", "05", "00", "101", "5.0", "5 ", "5e1", "0x5", "99999999999999999999", "٣"] {
            let error = whole(text, 0..=100).unwrap_err();
            assert!(error.ends_with("is not a whole number from 0 to 100"), "{text:?}: {error}");
        }
    }

    #[test]
    fn json_stands_there_or_in_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        std::fs::write(&path, "{\"a\":1}").unwrap();
        assert_eq!(json(&format!("@{}", path.display())), json("{\"a\":1}"));
        std::fs::write(&path, "{").unwrap();
        for (text, said) in [
            ("{", "it is not JSON"),
            (&format!("@{}", path.display()), "x.json is not JSON"),
            ("@/nonexistent/x", "can't read /nonexistent/x: No such file"),
            ("@/dev/zero", "more than the 1048576 bytes"),
        ] {
            let error = json(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
