//! One block after the other.

use std::ops::Range;

use bytes::Bytes;
use tidegate_codec::{Choice, Element, Encoder, Given, Stretch};
use tidegate_core::RelPath;

use super::{
    Work,
    material::{Material, Reader},
};
use crate::{
    Error,
    io::read::BLOCK,
    pack::{Kind, Made},
};

/// An encoder with its memory.
pub(super) struct Worker {
    encoder: Encoder,
    base: Reader,
    own: Reader,
}

/// A part of a block that holds one kind of number, and what it is like.
struct Piece {
    of: Range<usize>,
    element: Element,
    base: Option<Elsewhere>,
    wide: Option<Elsewhere>,
}

/// Bytes of a file.
struct Elsewhere {
    file: usize,
    start: u64,
    bytes: Bytes,
}

impl Worker {
    pub(super) fn new() -> Result<Self, Error> {
        let encoder = Encoder::new().map_err(|error| Error::Worker(error.to_string()))?;
        Ok(Self { encoder, base: Reader::default(), own: Reader::default() })
    }

    /// Encodes a block, which is checked on the way.
    pub(super) fn encode(&mut self, material: &Material, work: &Work) -> Result<Made, Error> {
        let Some(entry) = material.own.entry(work.file) else { return Err(Error::Worker("no such file".into())) };
        let Some(digest) = entry.blocks.get(work.block).copied() else {
            return Err(Error::Worker("no such block".into()));
        };
        let bytes = u32::try_from(work.bytes).unwrap_or(u32::MAX);
        // The base has a block of these very bytes: neither need be read.
        if let Some((file, start)) = material.known.get(&digest)
            && let Some(base) = material.base.as_ref().and_then(|base| base.entry(*file))
        {
            let references = vec![(Kind::Base, 0..bytes, base.path.clone(), *start)];
            return Ok(Made { digest, bytes, frame: tidegate_codec::same(bytes as usize), references });
        }
        let block = material.own.block(work.file, work.block)?;
        let pieces = self.pieces(material, work);
        let stretches: Vec<Stretch<'_>> = pieces
            .iter()
            .filter_map(|piece| {
                let base = piece.base.as_ref().map(|it| it.bytes.as_ref());
                let wide = piece.wide.as_ref().map(|it| it.bytes.as_ref());
                let given = Given { base, wide, ..Given::default() };
                Some(Stretch::new(block.get(piece.of.clone())?, piece.element).given(given))
            })
            .collect();
        let mut frame = Vec::with_capacity(block.len() / 2);
        let choices = self.encoder.block(&stretches, &mut frame);
        let choices = choices.map_err(|error| Error::Worker(error.to_string()))?;
        let references = references(material, &pieces, &choices);
        Ok(Made { digest, bytes, frame, references })
    }

    /// The pieces of a block, without a gap.
    fn pieces(&mut self, material: &Material, work: &Work) -> Vec<Piece> {
        let from = work.block as u64 * BLOCK as u64;
        let range = from..from + work.bytes;
        let mut pieces = Vec::new();
        for (nth, region) in material.shape.within(work.file, &range) {
            let (start, end) = (region.range.start.max(range.start), region.range.end.min(range.end));
            let width = region.element.width() as u64;
            // A word that began in the block before ends in bytes of its own.
            let words = next_word(start, region.range.start, width).min(end);
            let place = |at: u64| usize::try_from(at - range.start).unwrap_or(usize::MAX);
            if start < words {
                let of = place(start)..place(words);
                pieces.push(Piece { of, element: Element::Bytes, base: None, wide: None });
            }
            if words == end {
                continue;
            }
            let like = material.likeness.of(work.file, nth);
            let into = words - region.range.start;
            let base = like.base.zip(material.base.as_ref()).and_then(|((file, start), files)| {
                let start = start + into;
                let bytes = self.base.range(files, file, &(start..start + (end - words)))?;
                Some(Elsewhere { file, start, bytes })
            });
            let wide = like.wide.and_then(|(file, start)| {
                let (start, whole) = (start + into * 2, (end - words) / width * width);
                let bytes = self.own.range(&material.own, file, &(start..start + whole * 2))?;
                Some(Elsewhere { file, start, bytes })
            });
            let element = if wide.is_some() { Element::Bf16 } else { region.element };
            pieces.push(Piece { of: place(words)..place(end), element, base, wide });
        }
        pieces
    }
}

/// What the encoder chose to rely on.
fn references(material: &Material, pieces: &[Piece], choices: &[Choice]) -> Vec<(Kind, Range<u32>, RelPath, u64)> {
    let mut references: Vec<(Kind, Range<u32>, RelPath, u64)> = Vec::new();
    let mut at = 0;
    for choice in choices {
        let of = at..at + choice.bytes;
        at = of.end;
        let needs = choice.method.needs();
        if !needs.base && !needs.wide {
            continue;
        }
        let Some(piece) = pieces.iter().find(|piece| piece.of.start <= of.start && of.end <= piece.of.end) else {
            continue;
        };
        let into = (of.start - piece.of.start) as u64;
        let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let mut refer = |kind, files: Option<&super::material::Files>, it: &Option<Elsewhere>, times: u64| {
            if let Some(it) = it
                && let Some(entry) = files.and_then(|files| files.entry(it.file))
            {
                references.push((kind, narrow(of.start)..narrow(of.end), entry.path.clone(), it.start + into * times));
            }
        };
        if needs.base {
            refer(Kind::Base, material.base.as_ref(), &piece.base, 1);
        }
        if needs.wide {
            refer(Kind::Wide, Some(&material.own), &piece.wide, 2);
        }
    }
    references
}

/// The first place from `at` on where a word begins, when words are counted from `from`.
fn next_word(at: u64, from: u64, width: u64) -> u64 {
    from + (at - from).next_multiple_of(width)
}
