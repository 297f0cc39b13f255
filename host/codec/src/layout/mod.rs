//! Where the tensors of a file lie, told from its headers.
//!
//! Headers are hints: a file whose headers lie, contradict themselves or are cut is treated as one without any, and at
//! worst takes more room. Nothing in them is trusted with more than that, and how much of them is read is bounded.

mod npy;
mod safetensors;
mod zip;

use std::ops::Range;

use crate::{Element, guess::guess};

/// Regions that are told apart in one file; those of a file with more are not told apart at all.
const REGIONS: usize = 1 << 20;
/// Bytes of headers that are read of one file: what safetensors itself takes.
const HEADER: u64 = 100_000_000;
/// Bytes of a region from which its element is guessed.
const GUESSED: u64 = 64 << 10;

/// A tensor, or what else stands apart in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// Its bytes in the file; never empty.
    pub range: Range<u64>,
    /// What they are.
    pub element: Element,
    /// The name that the file gives it, by which it is found in another step's file; empty for what lies between.
    pub name: String,
}

/// What reads ranges of a file. It is never asked for bytes behind the size that it was said to have.
pub type Read<'a, E> = &'a mut dyn FnMut(Range<u64>) -> Result<Vec<u8>, E>;

/// The regions of a file of `size` bytes, in their order, without a gap: by the headers of safetensors, of npy, or of a zip archive
/// (PyTorch, npz); else one region of what a sample looks like.
///
/// # Errors
/// What `read` says.
pub fn regions<E>(size: u64, read: Read<'_, E>) -> Result<Vec<Region>, E> {
    if size == 0 {
        return Ok(Vec::new());
    }
    let found = match safetensors::regions(size, read)? {
        Some(found) => Some(found),
        None => match npy::regions(0..size, "", read)? {
            Some(found) => Some(found),
            None => zip::regions(size, read)?,
        },
    };
    match found.and_then(|found| filled(found, size)) {
        Some(regions) => Ok(regions),
        None => Ok(vec![guessed(0..size, String::new(), read)?]),
    }
}

/// A region of the element that its middle looks like.
fn guessed<E>(range: Range<u64>, name: String, read: Read<'_, E>) -> Result<Region, E> {
    let length = range.end - range.start;
    let start = range.start + (length.saturating_sub(GUESSED) / 2) / 8 * 8;
    let sample = read(start..range.end.min(start + GUESSED))?;
    Ok(Region { range, element: guess(&sample), name })
}

/// The regions in their order, with what lies between them; none when they overlap or lie outside.
fn filled(mut found: Vec<Region>, size: u64) -> Option<Vec<Region>> {
    found.retain(|region| !region.range.is_empty());
    found.sort_by_key(|region| region.range.start);
    let between = |range| Region { range, element: Element::Bytes, name: String::new() };
    let mut regions = Vec::with_capacity(found.len() + 1);
    let mut end = 0;
    for region in found {
        if region.range.start < end || region.range.end > size || regions.len() >= REGIONS {
            return None;
        }
        if region.range.start > end {
            regions.push(between(end..region.range.start));
        }
        end = region.range.end;
        regions.push(region);
    }
    if end < size {
        regions.push(between(end..size));
    }
    Some(regions)
}

#[cfg(test)]
mod tests;
