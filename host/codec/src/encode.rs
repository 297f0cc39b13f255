//! From a block to its encoded form.

use crate::{
    AdamW, Element, Error, Given,
    frame::{self, Method},
    plane::Writer,
    planes::{self, PIECE},
    predict::Way,
    sample,
    word::Word,
};

/// A stretch of a block that holds one kind of number, and what it may be made a difference of.
#[derive(Debug, Clone, Copy)]
pub struct Stretch<'a> {
    /// Its bytes. Those of the last word may be missing.
    pub bytes: &'a [u8],
    /// What they are.
    pub element: Element,
    /// What the reader will be able to give as well.
    pub given: Given<'a>,
    /// How the trainer came here from the base, if it is one step before and the trainer says so. If not, a sample is asked.
    pub adamw: Option<AdamW>,
}

impl<'a> Stretch<'a> {
    /// A stretch by itself.
    pub fn new(bytes: &'a [u8], element: Element) -> Self {
        Self { bytes, element, given: Given::default(), adamw: None }
    }

    /// The same, with what the reader will be able to give.
    #[must_use]
    pub fn given(self, given: Given<'a>) -> Self {
        Self { given, ..self }
    }
}

/// Why a stretch is kept the way it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Its bytes.
    pub bytes: usize,
    /// The way.
    pub method: Method,
    /// Bytes of a word.
    pub width: usize,
    /// Bytes that it came to, its head included.
    pub encoded: usize,
}

/// Writes encoded blocks, one after the other. Holds some 4 MiB.
pub struct Encoder {
    writer: Writer,
    planes: Vec<u8>,
    made: Vec<u8>,
}

impl Encoder {
    /// An encoder.
    ///
    /// # Errors
    /// [`Error::Memory`].
    pub fn new() -> Result<Self, Error> {
        Ok(Self { writer: Writer::new()?, planes: Vec::new(), made: Vec::new() })
    }

    /// Encodes a block that consists of these stretches, in their order, onto the end of `out`, and says how each was kept. The same
    /// block gives the same bytes. It is never more than 16 bytes longer than the block.
    ///
    /// # Errors
    /// [`Error::Memory`], or what zstd says.
    pub fn block(&mut self, stretches: &[Stretch<'_>], out: &mut Vec<u8>) -> Result<Vec<Choice>, Error> {
        let start = out.len();
        let mut choices = Vec::with_capacity(stretches.len());
        let stretches: Vec<_> = stretches.iter().filter(|stretch| !stretch.bytes.is_empty()).flat_map(whole).collect();
        let length: usize = stretches.iter().map(|stretch| stretch.bytes.len()).sum();
        if stretches.len() <= frame::PARTS {
            frame::begin(stretches.len(), out);
            for stretch in &stretches {
                choices.push(self.stretch(stretch, out)?);
            }
        }
        if choices.is_empty() || out.len() - start > length + 16 {
            out.truncate(start);
            frame::begin(usize::from(length > 0), out);
            choices.clear();
            if length > 0 {
                let before = out.len();
                frame::put_raw(length, stretches.iter().map(|stretch| stretch.bytes), out);
                choices.push(Choice { bytes: length, method: Method::Raw, width: 1, encoded: out.len() - before });
            }
        }
        Ok(choices)
    }

    fn stretch(&mut self, stretch: &Stretch<'_>, out: &mut Vec<u8>) -> Result<Choice, Error> {
        let start = out.len();
        let method = match stretch.element.width() {
            1 => self.words::<u8>(stretch, out)?,
            2 => self.words::<u16>(stretch, out)?,
            4 => self.words::<u32>(stretch, out)?,
            _ => self.words::<u64>(stretch, out)?,
        };
        let (bytes, width) = (stretch.bytes.len(), stretch.element.width());
        Ok(Choice { bytes, method, width, encoded: out.len() - start })
    }

    fn words<W: Word>(&mut self, stretch: &Stretch<'_>, out: &mut Vec<u8>) -> Result<Method, Error> {
        let bytes = stretch.bytes;
        if stretch.given.base == Some(bytes) {
            frame::put(bytes.len(), Method::Same, W::WIDTH, &[], out);
            return Ok(Method::Same);
        }
        if let Some((word, rest)) = bytes.split_at_checked(W::WIDTH)
            && bytes.len() > W::WIDTH
            && rest.chunks_exact(W::WIDTH).all(|other| other == word)
        {
            frame::put(bytes.len(), Method::Repeat, W::WIDTH, word, out);
            return Ok(Method::Repeat);
        }
        let Self { writer, planes, made } = self;
        let Way { method, numbers, reference } = sample::choose::<W>(&Way::all(stretch), bytes, made);
        let mut tried = [None; 8];
        let put = frame::put_planes((bytes.len(), method, W::WIDTH), out, |out| {
            if method.replays() {
                out.extend(numbers.into_iter().flat_map(f32::to_le_bytes));
            }
            let mut start = 0;
            for piece in bytes.chunks(PIECE) {
                let range = start..start + piece.len();
                start = range.end;
                planes::split::<W>(method, piece, reference.at(range, made), planes);
                for (plane, tried) in planes.chunks_exact(piece.len() / W::WIDTH).zip(&mut tried) {
                    writer.write(plane, tried, out)?;
                }
            }
            Ok(())
        })?;
        if put.is_some() {
            return Ok(method);
        }
        frame::put(bytes.len(), Method::Raw, W::WIDTH, bytes, out);
        Ok(Method::Raw)
    }
}

/// A stretch as whole words and, apart, the bytes of a word that was cut.
fn whole<'a>(stretch: &Stretch<'a>) -> impl Iterator<Item = Stretch<'a>> {
    let cut = stretch.bytes.len() / stretch.element.width() * stretch.element.width();
    let (words, rest) = stretch.bytes.split_at(cut);
    let words = Stretch { bytes: words, given: stretch.given.first(cut), ..*stretch };
    let rest = Stretch::new(rest, Element::Bytes);
    [words, rest].into_iter().filter(|stretch| !stretch.bytes.is_empty())
}
