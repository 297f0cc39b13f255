//! What the files of a shard are made of, and which of it is like what.

use std::{collections::HashMap, fs::File, ops::Range, os::fd::OwnedFd, os::unix::fs::FileExt};

use tidegate_codec::{
    Element,
    layout::{self, Region},
};
use tidegate_core::{Body, FileEntry};

use crate::io::beneath;

/// Files of fewer bytes are not looked into.
const LOOKED_INTO: u64 = 1024;
/// Words that are compared to tell whether bf16 words are roundings of fp32 ones.
const WORDS: u64 = 64;

/// The tensors of each file of a shard, as far as headers tell.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    files: Vec<Vec<Region>>,
}

impl Shape {
    /// Reads the headers of a shard's files. They are hints: what can't be read or understood is taken for bytes. It blocks.
    pub(crate) fn read(root: &OwnedFd, body: &Body) -> Self {
        Self { files: body.files.iter().map(|entry| regions(root, entry)).collect() }
    }

    /// The regions of a file that overlap a range of it.
    pub(crate) fn within(&self, file: usize, range: &Range<u64>) -> impl Iterator<Item = (usize, &Region)> {
        let regions = self.files.get(file).map_or(&[][..], Vec::as_slice);
        let first = regions.partition_point(|region| region.range.end <= range.start);
        let end = range.end;
        regions.iter().enumerate().skip(first).take_while(move |(_, region)| region.range.start < end)
    }
}

fn regions(root: &OwnedFd, entry: &FileEntry) -> Vec<Region> {
    let whole = || vec![Region { range: 0..entry.size, element: Element::Bytes, name: String::new() }];
    if entry.size < LOOKED_INTO {
        return whole();
    }
    let look = || {
        let file = beneath::read(root, &entry.path)?;
        layout::regions(entry.size, &mut |range| read(&file, range))
    };
    look().unwrap_or_else(|_: std::io::Error| whole())
}

fn read(file: &File, range: Range<u64>) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut bytes, range.start)?;
    Ok(bytes)
}

/// Which bytes elsewhere each region is like.
#[derive(Debug, Default)]
pub(crate) struct Likeness {
    files: Vec<Vec<Like>>,
}

/// Of one region. A place is a file of a body and where the region begins in it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Like {
    /// The same tensor in the base.
    pub(crate) base: Option<(usize, u64)>,
    /// The fp32 words that these bf16 words are roundings of, in the same shard.
    pub(crate) wide: Option<(usize, u64)>,
}

impl Likeness {
    /// Compares a shard with its base, if it has one, and with itself. It blocks.
    pub(crate) fn find(root: &OwnedFd, body: &Body, shape: &Shape, base: Option<(&Body, &Shape)>) -> Self {
        let mut files: Vec<Vec<Like>> =
            shape.files.iter().map(|regions| vec![Like::default(); regions.len()]).collect();
        if let Some((base_body, base_shape)) = base {
            for ((entry, regions), likes) in body.files.iter().zip(&shape.files).zip(&mut files) {
                let there = base_body.files.binary_search_by(|other| other.path.cmp(&entry.path)).ok();
                let theirs = there.and_then(|there| Some((there, base_shape.files.get(there)?)));
                let Some((there, theirs)) = theirs else { continue };
                for (like, start) in likes.iter_mut().zip(same_tensors(regions, theirs)) {
                    like.base = start.map(|start| (there, start));
                }
            }
        }
        for (file, region, place) in roundings(root, body, shape) {
            if let Some(like) = files.get_mut(file).and_then(|likes| likes.get_mut(region)) {
                like.wide = Some(place);
            }
        }
        Self { files }
    }

    pub(crate) fn of(&self, file: usize, region: usize) -> Like {
        self.files.get(file).and_then(|likes| likes.get(region)).copied().unwrap_or_default()
    }
}

/// Where each region's tensor begins in the other file.
fn same_tensors(ours: &[Region], theirs: &[Region]) -> Vec<Option<u64>> {
    if ours == theirs {
        return ours.iter().map(|region| Some(region.range.start)).collect();
    }
    let named: HashMap<&str, &Region> =
        theirs.iter().filter(|region| !region.name.is_empty()).map(|region| (region.name.as_str(), region)).collect();
    let length = |region: &Region| region.range.end - region.range.start;
    let fits = |it: &Region, other: &&&Region| it.element == other.element && length(it) == length(other);
    let find = |it: &Region| named.get(it.name.as_str()).filter(|other| fits(it, other)).map(|it| it.range.start);
    ours.iter().map(find).collect()
}

/// Regions of bf16 words that are the roundings of fp32 words of as many numbers: the file, the region, and the place of the fp32
/// words. Told from some words in the middle: a wrong guess costs room, no more.
fn roundings(root: &OwnedFd, body: &Body, shape: &Shape) -> Vec<(usize, usize, (usize, u64))> {
    let all = || {
        let regions = shape.files.iter().enumerate();
        regions.flat_map(|(file, regions)| regions.iter().enumerate().map(move |(nth, region)| (file, nth, region)))
    };
    let numbers = |region: &Region| (region.range.end - region.range.start) / region.element.width() as u64;
    let narrow = |region: &Region| matches!(region.element, Element::Bf16 | Element::Two) && numbers(region) >= WORDS;
    let mut wanted: HashMap<u64, HashMap<Vec<u8>, (usize, u64)>> =
        all().filter(|(_, _, region)| narrow(region)).map(|(_, _, region)| (numbers(region), HashMap::new())).collect();
    let middle = |file: usize, region: &Region, width: u64| {
        let start = region.range.start + (numbers(region) - WORDS) / 2 * width;
        let entry = body.files.get(file)?;
        read(&beneath::read(root, &entry.path).ok()?, start..start + WORDS * width).ok()
    };
    for (file, _, region) in all().filter(|(_, _, region)| region.element == Element::Four) {
        if let Some(of_length) = wanted.get_mut(&numbers(region))
            && let Some(words) = middle(file, region, 4)
        {
            of_length.entry(tidegate_codec::narrowed(&words)).or_insert((file, region.range.start));
        }
    }
    let find = |(file, nth, region): (usize, usize, &Region)| {
        let of_length = wanted.get(&numbers(region)).filter(|of_length| narrow(region) && !of_length.is_empty())?;
        let place = of_length.get(&middle(file, region, 2)?)?;
        Some((file, nth, *place))
    };
    all().filter_map(find).collect()
}
