//! From a block to its encoded form.

use crate::{
    AdamW, Element, Error, Given,
    frame::{self, Method},
    plane::Writer,
    planes,
    predict::Predictions,
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
    /// How the trainer came here from the base, if it is one step before and the trainer says so.
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

/// Writes encoded blocks, one after the other. Holds five times the largest stretch, and some 3 MiB.
pub struct Encoder {
    writer: Writer,
    planes: Vec<u8>,
    payload: Vec<u8>,
    predictions: Predictions,
}

impl Encoder {
    /// An encoder.
    ///
    /// # Errors
    /// [`Error::Memory`].
    pub fn new() -> Result<Self, Error> {
        let (planes, payload, predictions) = Default::default();
        Ok(Self { writer: Writer::new()?, planes, payload, predictions })
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
        let Stretch { bytes, given, .. } = *stretch;
        let base = given.base.filter(|base| base.len() == bytes.len());
        if base == Some(bytes) {
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
        let Self { writer, planes, payload, predictions } = self;
        predictions.make(stretch);
        let method = sample::choose::<W>(bytes, base, predictions.made());
        let predicted = predictions.made().find(|made| made.method == method);
        match (method, base, predicted) {
            (Method::Difference, Some(base), _) => planes::split::<W>(bytes, base, planes, W::difference),
            (Method::Xor, Some(base), _) => planes::split::<W>(bytes, base, planes, W::xor),
            (_, _, Some(made)) => planes::split::<W>(bytes, made.words, planes, W::difference),
            _ => planes::split::<W>(bytes, bytes, planes, |word, _| word),
        }
        payload.clear();
        let numbers = predicted.and_then(|made| made.numbers);
        payload.extend(numbers.into_iter().flatten().flat_map(|number| number.to_le_bytes()));
        for plane in planes.chunks_exact(bytes.len() / W::WIDTH) {
            writer.write(plane, payload)?;
        }
        let method = if self.payload.len() < bytes.len() { method } else { Method::Raw };
        let payload = if method == Method::Raw { bytes } else { &self.payload };
        frame::put(bytes.len(), method, W::WIDTH, payload, out);
        Ok(method)
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
