//! From an encoded block to exactly the bytes it was made of.

use zstd_safe::DCtx;

use crate::{
    Error, Given,
    frame::{self, Method, Part},
    narrow, plane, planes,
    word::Word,
};

/// Reads encoded blocks, one after the other. Holds as much memory as the largest block had, and some 200 KiB.
pub struct Decoder {
    context: DCtx<'static>,
    planes: Vec<u8>,
    narrowed: Vec<u8>,
}

impl Decoder {
    /// A decoder.
    ///
    /// # Errors
    /// [`Error::Memory`].
    pub fn new() -> Result<Self, Error> {
        let context = DCtx::try_create().ok_or(Error::Memory)?;
        Ok(Self { context, planes: Vec::new(), narrowed: Vec::new() })
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
            Method::Same => bytes.copy_from_slice(given.base_of(bytes.len())?),
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
        self.planes.resize(bytes.len(), 0);
        let mut from = part.payload;
        for plane in self.planes.chunks_exact_mut(bytes.len() / W::WIDTH) {
            plane::read(&mut self.context, &mut from, plane)?;
        }
        if !from.is_empty() {
            return Err(Error::Long(from.len()));
        }
        match part.method {
            Method::Difference => planes::join::<W>(&self.planes, given.base_of(bytes.len())?, bytes, W::sum),
            Method::Xor => planes::join::<W>(&self.planes, given.base_of(bytes.len())?, bytes, W::xor),
            Method::Narrowed => {
                narrow::round(given.wide_of(bytes.len())?, &mut self.narrowed);
                planes::join::<W>(&self.planes, &self.narrowed, bytes, W::sum);
            }
            _ => planes::join::<W>(&self.planes, &self.planes, bytes, |word, _| word),
        }
        Ok(())
    }
}
