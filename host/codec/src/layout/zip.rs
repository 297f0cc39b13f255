//! Zip archives whose entries are stored and not compressed: what `torch.save` and `numpy.savez` write. Only the central
//! directory tells where entries lie; each entry is npy, or of the element that it looks like. Archives over 4 GiB (zip64) too.

use super::{HEADER, Read, Region, guessed, npy};

/// The end of the central directory, without its comment.
const END: usize = 22;
/// The end of a zip64 central directory and its locator, which stand before that.
const END64: usize = 56 + 20;
/// Bytes of an entry in the central directory, of its own header, without the parts of variable length.
const ENTRY: usize = 46;
const LOCAL: u64 = 30;
/// Entries smaller than this are not looked at: whatever they are, they take no room.
const SMALL: u64 = 1024;

struct Directory {
    start: u64,
    bytes: u64,
}

struct Entry {
    name: String,
    header: u64,
    size: u64,
}

pub(super) fn regions<E>(size: u64, read: Read<'_, E>) -> Result<Option<Vec<Region>>, E> {
    if read(0..size.min(4))? != b"PK\x03\x04" {
        return Ok(None);
    }
    let tail = read(size.saturating_sub((END + END64) as u64)..size)?;
    let directory = directory(&tail).filter(|directory| {
        directory.bytes <= HEADER && directory.start.checked_add(directory.bytes).is_some_and(|end| end <= size)
    });
    let Some(Directory { start, bytes }) = directory else { return Ok(None) };
    let directory = read(start..start + bytes)?;
    let mut regions = Vec::new();
    for entry in entries(&directory) {
        // The entry's own header repeats its name and may have other extra fields: PyTorch aligns data with them.
        let Some(end) = entry.header.checked_add(LOCAL).filter(|end| *end <= start) else { return Ok(None) };
        let header = read(entry.header..end)?;
        let (Some(name), Some(extra)) = (u16_at(&header, 26), u16_at(&header, 28)) else { return Ok(None) };
        let data = end + u64::from(name) + u64::from(extra);
        let Some(end) = data.checked_add(entry.size).filter(|end| *end <= start) else { return Ok(None) };
        if entry.size < SMALL {
            continue;
        }
        match npy::regions(data..end, &entry.name, read)? {
            Some(found) => regions.extend(found),
            None => regions.push(guessed(data..end, entry.name, read)?),
        }
    }
    Ok(Some(regions))
}

/// Where the central directory lies, by the file's last bytes. An archive with a comment is not understood.
fn directory(tail: &[u8]) -> Option<Directory> {
    let end = tail.last_chunk::<END>()?;
    if !end.starts_with(b"PK\x05\x06") || u16_at(end, 20)? != 0 {
        return None;
    }
    let (start, bytes) = (u32_at(end, 16)?, u32_at(end, 12)?);
    if start != u32::MAX && bytes != u32::MAX {
        return Some(Directory { start: start.into(), bytes: bytes.into() });
    }
    let end = tail.get(..tail.len().checked_sub(END)?)?.last_chunk::<END64>()?;
    end.starts_with(b"PK\x06\x06").then_some(Directory { start: u64_at(end, 48)?, bytes: u64_at(end, 40)? })
}

/// The stored entries of a central directory, as far as it makes sense.
fn entries(mut directory: &[u8]) -> impl Iterator<Item = Entry> {
    std::iter::from_fn(move || {
        loop {
            let (head, rest) = directory.split_at_checked(ENTRY).filter(|(head, _)| head.starts_with(b"PK\x01\x02"))?;
            let length = |at| u16_at(head, at).map(usize::from);
            let (name, rest) = rest.split_at_checked(length(28)?)?;
            let (extra, rest) = rest.split_at_checked(length(30)?)?;
            directory = rest.get(length(32)?..)?;
            let (packed, size, header) = sizes(head, extra)?;
            if u16_at(head, 10)? == 0 && packed == size {
                return Some(Entry { name: String::from_utf8_lossy(name).into_owned(), header, size });
            }
        }
    })
}

/// Packed size, size and place of an entry, taken from its zip64 field where they don't fit.
fn sizes(head: &[u8], mut extra: &[u8]) -> Option<(u64, u64, u64)> {
    let (size, packed, header) = (u32_at(head, 24)?, u32_at(head, 20)?, u32_at(head, 42)?);
    let mut large: &[u8] = &[];
    while let (Some(kind), Some(length)) = (u16_at(extra, 0), u16_at(extra, 2)) {
        let (field, rest) = extra.get(4..)?.split_at_checked(length.into())?;
        if kind == 1 {
            large = field;
        }
        extra = rest;
    }
    let mut widen = |small: u32| {
        if small != u32::MAX {
            return Some(u64::from(small));
        }
        let (wide, rest) = large.split_first_chunk()?;
        large = rest;
        Some(u64::from_le_bytes(*wide))
    };
    let (size, packed, header) = (widen(size)?, widen(packed)?, widen(header)?);
    Some((packed, size, header))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
