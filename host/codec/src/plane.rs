//! One plane as it is written: a constant, the bytes themselves, zstd, or several bytes packed in one.
//!
//! Most planes of training state hold noise in which some values are more frequent than others: looking for matches
//! in them costs time and finds none, so only their literals are coded (Huffman). Text has matches. A sample tells which;
//! zstd's negative levels look for hardly any match, but leave literals as they are unless told otherwise.

use zstd_safe::{CCtx, CParameter, DCtx, ParamSwitch};

use crate::{Error, counts::Counts, pack, varint};

const CONSTANT: u8 = 0;
const RAW: u8 = 1;
const ZSTD: u8 = 2;
/// And as many more as the log2 of the bits.
const PACKED: u8 = 4;

/// Bytes of a plane in which matches are looked for.
const SAMPLE: usize = 16 << 10;
/// A plane is written as it is unless it shrinks to less than so many bits a byte: less is not worth the time.
const WORTH: f64 = 7.75;
/// Matches are searched when their sample comes out smaller than this share of what else there is.
const MATCHES: f64 = 0.94;
/// In packed bytes, only runs are matches worth a look: what holds more bits a byte than this has none.
const RUNS: f64 = 1.5;
/// Packed is what comes out smaller than this share of what literals do.
const PACK: f64 = 0.96;
/// Bits that it should spare to set a byte apart: it takes time.
const APART: f64 = 1.5;

/// How a plane is written.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Raw,
    Literals,
    Matches,
    Packed(u32),
}

/// Writes planes. Holds some 2 MiB.
pub(crate) struct Writer {
    literals: CCtx<'static>,
    matches: CCtx<'static>,
    scratch: Vec<u8>,
    packed: Vec<u8>,
    apart: Vec<u8>,
}

/// Bits a byte that a search for matches came to in a plane, once it was tried: pieces of one plane are alike.
pub(crate) type Tried = Option<f64>;

impl Writer {
    pub(crate) fn new() -> Result<Self, Error> {
        let mut literals = context(-10_000)?;
        literals.set_parameter(CParameter::LiteralCompressionMode(ParamSwitch::Enable)).map_err(zstd)?;
        let (scratch, packed, apart) = Default::default();
        Ok(Self { literals, matches: context(1)?, scratch, packed, apart })
    }

    /// Appends `plane` to `out`, never by more than its length and eight bytes.
    pub(crate) fn write(&mut self, plane: &[u8], tried: &mut Tried, out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        match self.choose(plane, tried, &pack::BITS)? {
            Way::Packed(bits) => self.pack(plane, bits, out)?,
            way => return self.put(plane, way, out),
        }
        if out.len() - start >= plane.len() {
            out.truncate(start);
            self.put(plane, Way::Raw, out)?;
        }
        Ok(())
    }

    /// In any way but packed.
    fn put(&mut self, plane: &[u8], way: Way, out: &mut Vec<u8>) -> Result<(), Error> {
        match plane.first() {
            None => return Ok(()),
            Some(first) if constant(plane, *first) => {
                out.extend([CONSTANT, *first]);
                return Ok(());
            }
            _ if way == Way::Raw => {}
            _ => {
                self.compress(plane, way)?;
                if self.scratch.len() < plane.len() {
                    out.push(ZSTD);
                    varint::put(self.scratch.len() as u64, out);
                    out.extend_from_slice(&self.scratch);
                    return Ok(());
                }
            }
        }
        out.push(RAW);
        out.extend_from_slice(plane);
        Ok(())
    }

    fn pack(&mut self, plane: &[u8], bits: u32, out: &mut Vec<u8>) -> Result<(), Error> {
        let (mut packed, mut apart) = (std::mem::take(&mut self.packed), std::mem::take(&mut self.apart));
        pack::pack(plane, bits, &mut packed, &mut apart);
        out.push(PACKED | bits.trailing_zeros() as u8);
        for piece in [&packed, &apart] {
            let way = self.choose(piece, &mut None, &[])?;
            self.put(piece, way, out)?;
        }
        (self.packed, self.apart) = (packed, apart);
        Ok(())
    }

    /// The way that a sample says is smallest.
    fn choose(&mut self, plane: &[u8], tried: &mut Tried, pack: &[u32]) -> Result<Way, Error> {
        let counts = Counts::sample(plane);
        let mut best = (Way::Raw, WORTH);
        let literals = counts.coded(1);
        if literals < best.1 {
            best = (Way::Literals, literals);
        }
        for bits in pack {
            let packed = packed(&counts, *bits);
            if packed < best.1.min(literals * PACK) {
                best = (Way::Packed(*bits), packed);
            }
        }
        let matches = match *tried {
            Some(bits) => bits,
            None if pack.is_empty() && best.1 > RUNS => return Ok(best.0),
            None => *tried.insert(self.try_matches(plane)?),
        };
        Ok(if matches < best.1 * MATCHES { Way::Matches } else { best.0 })
    }

    /// Bits a byte of a sample in which matches are searched.
    fn try_matches(&mut self, plane: &[u8]) -> Result<f64, Error> {
        let start = (plane.len() / 2).saturating_sub(SAMPLE / 2);
        let sample: &[u8] = plane.get(start..(start + SAMPLE).min(plane.len())).unwrap_or(plane);
        Ok(8.0 * self.compress(sample, Way::Matches)? as f64 / sample.len().max(1) as f64)
    }

    fn compress(&mut self, bytes: &[u8], way: Way) -> Result<usize, Error> {
        self.scratch.clear();
        self.scratch.reserve(zstd_safe::compress_bound(bytes.len()));
        let context = match way {
            Way::Matches => &mut self.matches,
            _ => &mut self.literals,
        };
        context.compress2(&mut self.scratch, bytes).map_err(zstd)
    }
}

/// Bits a byte that packing is expected to come to.
fn packed(counts: &Counts, bits: u32) -> f64 {
    let (low, high) = counts.cut(pack::top(bits));
    low.coded(8 / bits as i32) + high.share(counts) * (high.coded(1).min(8.0) + APART)
}

/// Whether all bytes are `first`. Stretches, so that vector code looks at them, and few are looked at in vain.
fn constant(plane: &[u8], first: u8) -> bool {
    plane.chunks(1024).all(|bytes| bytes.iter().fold(0, |differ, byte| differ | (byte ^ first)) == 0)
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

/// Reads planes.
pub(crate) struct Reader {
    context: DCtx<'static>,
    packed: Vec<u8>,
    apart: Vec<u8>,
}

impl Reader {
    pub(crate) fn new() -> Result<Self, Error> {
        let (packed, apart) = Default::default();
        Ok(Self { context: DCtx::try_create().ok_or(Error::Memory)?, packed, apart })
    }

    /// Reads a plane of as many bytes as `room` has from the front of `from`. It is left in `room`, or lies in `from`.
    pub(crate) fn read<'a, 'f: 'a>(&mut self, from: &mut &'f [u8], room: &'a mut [u8]) -> Result<&'a [u8], Error> {
        match from.first() {
            Some(&coding) if coding & !3 == PACKED && !room.is_empty() => {
                take(from, 1)?;
                self.unpack(from, 1 << (coding & 3), room)?;
                Ok(room)
            }
            _ => get(&mut self.context, from, room),
        }
    }

    fn unpack(&mut self, from: &mut &[u8], bits: u32, plane: &mut [u8]) -> Result<(), Error> {
        let Self { context, packed, apart } = self;
        if !pack::BITS.contains(&bits) {
            return Err(UNKNOWN);
        }
        packed.resize(pack::packed(plane.len(), bits), 0);
        let found = pack::unpack(get(context, from, packed)?, bits, plane);
        apart.resize(found, 0);
        pack::mend(plane, bits, get(context, from, apart)?)
    }
}

/// A plane in any way but packed.
fn get<'a, 'f: 'a>(context: &mut DCtx<'static>, from: &mut &'f [u8], room: &'a mut [u8]) -> Result<&'a [u8], Error> {
    if room.is_empty() {
        return Ok(room);
    }
    match take(from, 1)? {
        [CONSTANT] => match take(from, 1)? {
            [byte] => room.fill(*byte),
            _ => return Err(Error::Short),
        },
        [RAW] => return take(from, room.len()),
        [ZSTD] => {
            let size = usize::try_from(varint::take(from)?).map_err(|_| Error::Short)?;
            let bytes = take(from, size)?;
            let got = context.decompress(room, bytes).map_err(zstd)?;
            if got != room.len() {
                return Err(Error::Length { got, want: room.len() });
            }
        }
        _ => return Err(UNKNOWN),
    }
    Ok(room)
}

const UNKNOWN: Error = Error::Unknown("coding of a plane");

/// The first `count` bytes of `from`, which is moved on.
pub(crate) fn take<'a>(from: &mut &'a [u8], count: usize) -> Result<&'a [u8], Error> {
    let (taken, rest) = from.split_at_checked(count).ok_or(Error::Short)?;
    *from = rest;
    Ok(taken)
}
