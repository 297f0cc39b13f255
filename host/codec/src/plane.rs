//! One plane as it is written: a constant, the bytes themselves, or zstd.
//!
//! Most planes of training state hold noise in which some values are more frequent than others: looking for matches
//! in them costs time and finds none, so only their literals are coded (Huffman). Planes that are nearly all zeros, or text, have
//! matches. A sample tells which; zstd's negative levels look for hardly any match, but leave literals as they are unless told otherwise.

use zstd_safe::{CCtx, CParameter, DCtx, ParamSwitch};

use crate::{Error, varint};

const CONSTANT: u8 = 0;
const RAW: u8 = 1;
const ZSTD: u8 = 2;

/// Bytes of a plane that are tried both ways.
const SAMPLE: usize = 16 << 10;
/// A plane is written as it is unless the sample shrinks to less than this share, in 1/1024.
const WORTH: usize = 1004;
/// Matches are searched when their sample comes out smaller than this share of that with literals alone, in 1/1024.
const MATCHES: usize = 960;

/// Writes planes. Holds some 2 MiB.
pub(crate) struct Writer {
    literals: CCtx<'static>,
    matches: CCtx<'static>,
    scratch: Vec<u8>,
}

impl Writer {
    pub(crate) fn new() -> Result<Self, Error> {
        let mut literals = context(-10_000)?;
        literals.set_parameter(CParameter::LiteralCompressionMode(ParamSwitch::Enable)).map_err(zstd)?;
        Ok(Self { literals, matches: context(1)?, scratch: Vec::new() })
    }

    /// Appends `plane` to `out`, never by more than its length and eight bytes.
    pub(crate) fn write(&mut self, plane: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let Some((&first, rest)) = plane.split_first() else { return Ok(()) };
        if rest.iter().all(|byte| *byte == first) {
            out.extend([CONSTANT, first]);
            return Ok(());
        }
        if let Some(way) = self.choose(plane)? {
            self.compress(plane, way)?;
            if self.scratch.len() < plane.len() {
                out.push(ZSTD);
                varint::put(self.scratch.len() as u64, out);
                out.extend_from_slice(&self.scratch);
                return Ok(());
            }
        }
        out.push(RAW);
        out.extend_from_slice(plane);
        Ok(())
    }

    /// The way for a plane; none when it would not shrink.
    fn choose(&mut self, plane: &[u8]) -> Result<Option<Way>, Error> {
        let start = (plane.len() / 2).saturating_sub(SAMPLE / 2);
        let sample: &[u8] = plane.get(start..(start + SAMPLE).min(plane.len())).unwrap_or(plane);
        let literals = self.compress(sample, Way::Literals)?;
        let matches = self.compress(sample, Way::Matches)?;
        if matches.min(literals) * 1024 > sample.len() * WORTH {
            return Ok(None);
        }
        let way = if matches * 1024 < literals * MATCHES { Way::Matches } else { Way::Literals };
        Ok(Some(way))
    }

    fn compress(&mut self, bytes: &[u8], way: Way) -> Result<usize, Error> {
        self.scratch.clear();
        self.scratch.reserve(zstd_safe::compress_bound(bytes.len()));
        let context = match way {
            Way::Literals => &mut self.literals,
            Way::Matches => &mut self.matches,
        };
        context.compress2(&mut self.scratch, bytes).map_err(zstd)
    }
}

#[derive(Clone, Copy)]
enum Way {
    Literals,
    Matches,
}

fn context(level: i32) -> Result<CCtx<'static>, Error> {
    let mut context = CCtx::try_create().ok_or(Error::Memory)?;
    context.set_parameter(CParameter::CompressionLevel(level)).map_err(zstd)?;
    context.set_parameter(CParameter::ContentSizeFlag(false)).map_err(zstd)?;
    Ok(context)
}

fn zstd(code: usize) -> Error {
    Error::Zstd(zstd_safe::get_error_name(code))
}

/// Reads a plane from the front of `from`, and fills `plane` with it.
pub(crate) fn read(context: &mut DCtx<'static>, from: &mut &[u8], plane: &mut [u8]) -> Result<(), Error> {
    if plane.is_empty() {
        return Ok(());
    }
    match take(from, 1)? {
        [CONSTANT] => match take(from, 1)? {
            [byte] => plane.fill(*byte),
            _ => return Err(Error::Short),
        },
        [RAW] => plane.copy_from_slice(take(from, plane.len())?),
        [ZSTD] => {
            let size = usize::try_from(varint::take(from)?).map_err(|_| Error::Short)?;
            let bytes = take(from, size)?;
            let got = context.decompress(plane, bytes).map_err(zstd)?;
            if got != plane.len() {
                return Err(Error::Length { got, want: plane.len() });
            }
        }
        _ => return Err(Error::Unknown("coding of a plane")),
    }
    Ok(())
}

/// The first `count` bytes of `from`, which is moved on.
pub(crate) fn take<'a>(from: &mut &'a [u8], count: usize) -> Result<&'a [u8], Error> {
    let (taken, rest) = from.split_at_checked(count).ok_or(Error::Short)?;
    *from = rest;
    Ok(taken)
}
