//! From an encoded block to exactly the bytes it was made of.

use zstd_safe::DCtx;

use crate::{
    Error, Given,
    frame::{self, Method, Part},
    given, narrow,
    plane::{self, take},
    planes, replay,
    word::Word,
};

/// Reads encoded blocks, one after the other. Holds as much memory as the largest block had, and some 200 KiB.
pub struct Decoder {
    context: DCtx<'static>,
    planes: Vec<u8>,
    predicted: Vec<u8>,
}

impl Decoder {
    /// A decoder.
    ///
    /// # Errors
    /// [`Error::Memory`].
    pub fn new() -> Result<Self, Error> {
        let context = DCtx::try_create().ok_or(Error::Memory)?;
        Ok(Self { context, planes: Vec::new(), predicted: Vec::new() })
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
        let (mut from, length) = (part.payload, bytes.len());
        let base = given::of(given.base, length, "the base");
        match part.method {
            Method::Narrowed => {
                let wide = given::of(given.wide, length.saturating_mul(2), "the fp32 words")?;
                narrow::round(wide, &mut self.predicted);
            }
            Method::Seconds => {
                let (first, before) =
                    (given::of(given.first, length, FIRST)?, given::of(given.first_before, length, FIRST)?);
                replay::seconds(&numbers(&mut from)?, base.clone()?, before, first, &mut self.predicted);
            }
            Method::Weights => {
                let first = given::of(given.first, length, FIRST)?;
                let second = given::of(given.second, length, "the second moments")?;
                replay::weights(&numbers(&mut from)?, base.clone()?, first, second, &mut self.predicted);
            }
            _ => {}
        }
        self.planes.resize(length, 0);
        for plane in self.planes.chunks_exact_mut(length / W::WIDTH) {
            plane::read(&mut self.context, &mut from, plane)?;
        }
        if !from.is_empty() {
            return Err(Error::Long(from.len()));
        }
        match part.method {
            Method::Difference => planes::join::<W>(&self.planes, base?, bytes, W::sum),
            Method::Xor => planes::join::<W>(&self.planes, base?, bytes, W::xor),
            Method::Planes => planes::join::<W>(&self.planes, &self.planes, bytes, |word, _| word),
            _ => planes::join::<W>(&self.planes, &self.predicted, bytes, W::sum),
        }
        Ok(())
    }
}

const FIRST: &str = "the first moments";

fn numbers(from: &mut &[u8]) -> Result<replay::Numbers, Error> {
    let mut numbers = [0.0; 4];
    for number in &mut numbers {
        let bytes = take(from, 8)?.first_chunk().ok_or(Error::Short)?;
        *number = f64::from_le_bytes(*bytes);
    }
    Ok(numbers)
}
