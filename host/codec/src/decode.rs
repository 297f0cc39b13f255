//! From an encoded block to exactly the bytes it was made of.

use crate::{
    Error, Given,
    frame::{self, Method, Part},
    given,
    plane::Reader,
    planes::{self, PIECE},
    predict::{self, Reference},
    word::Word,
};

/// Reads encoded blocks, one after the other. Holds some 2 MiB.
pub struct Decoder {
    reader: Reader,
    planes: Vec<u8>,
    made: Vec<u8>,
}

impl Decoder {
    /// A decoder.
    ///
    /// # Errors
    /// [`Error::Memory`].
    pub fn new() -> Result<Self, Error> {
        Ok(Self { reader: Reader::new()?, planes: Vec::new(), made: Vec::new() })
    }

    /// Fills `block` from its encoded form. `given` is asked for each part that needs other bytes: those of
    /// [`Part::range`] in the base, or the fp32 words for as many bf16 words.
    ///
    /// Whether base and fp32 words were the right ones, only the digest of the result can tell: compare it.
    ///
    /// # Errors
    /// Bytes that are no encoded block of this length; what it needs was not given, or too little of it. `block` then holds nothing
    /// of use.
    pub fn block<'a>(
        &mut self,
        encoded: &[u8],
        block: &mut [u8],
        mut given: impl FnMut(&Part<'_>) -> Given<'a>,
    ) -> Result<(), Error> {
        let mut rest = &mut *block;
        for part in frame::parts(encoded, rest.len())? {
            let (bytes, after) = rest.split_at_mut(part.range.len());
            self.part(&part, given(&part), bytes)?;
            rest = after;
        }
        Ok(())
    }

    fn part(&mut self, part: &Part<'_>, given: Given<'_>, bytes: &mut [u8]) -> Result<(), Error> {
        match part.method {
            Method::Raw => bytes.copy_from_slice(part.payload),
            Method::Repeat => {
                bytes.chunks_exact_mut(part.width).for_each(|word| word.copy_from_slice(part.payload));
            }
            Method::Same => bytes.copy_from_slice(given::of(given.base, bytes.len(), "the base")?),
            _ => match part.width {
                1 => self.planes::<u8>(part, given, bytes)?,
                2 => self.planes::<u16>(part, given, bytes)?,
                4 => self.planes::<u32>(part, given, bytes)?,
                _ => self.planes::<u64>(part, given, bytes)?,
            },
        }
        Ok(())
    }

    fn planes<W: Word>(&mut self, part: &Part<'_>, given: Given<'_>, bytes: &mut [u8]) -> Result<(), Error> {
        let Self { reader, planes, made } = self;
        let mut from = part.payload;
        let reference = Reference::of(part.method, given, predict::numbers(part.method, &mut from)?, bytes.len())?;
        let mut start = 0;
        for piece in bytes.chunks_mut(PIECE) {
            planes.resize(piece.len(), 0);
            let mut found: [&[u8]; 8] = Default::default();
            for (found, room) in found.iter_mut().zip(planes.chunks_exact_mut(piece.len() / W::WIDTH)) {
                *found = reader.read(&mut from, room)?;
            }
            let range = start..start + piece.len();
            start = range.end;
            planes::join::<W>(part.method, &found, reference.at(range, made), piece);
        }
        match from.len() {
            0 => Ok(()),
            rest => Err(Error::Long(rest)),
        }
    }
}
