//! What the words of a part are made a difference of: the base, or what would follow from what is given.

use std::ops::Range;

use crate::{
    Element, Error, Given, Stretch, fit,
    frame::Method,
    given, narrow,
    plane::take,
    replay::{self, Numbers},
};

/// Where the words come from that others are made a difference of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reference<'a> {
    /// They are taken as they are.
    None,
    Base(&'a [u8]),
    Rounded(&'a [u8]),
    /// Base, first moments of the base, first moments.
    Seconds(Numbers, [&'a [u8]; 3]),
    /// Base, first moments, second moments.
    Weights(Numbers, [&'a [u8]; 3]),
}

impl<'a> Reference<'a> {
    /// What `method` takes differences of, for a part of so many bytes. `numbers` are those of a replay.
    ///
    /// # Errors
    /// Something was not given, or is not of the length it must have.
    pub(crate) fn of(method: Method, given: Given<'a>, numbers: Numbers, bytes: usize) -> Result<Self, Error> {
        let base = || given::of(given.base, bytes, "the base");
        let first = || given::of(given.first, bytes, "the first moments");
        Ok(match method {
            Method::Difference | Method::Less | Method::Xor => Self::Base(base()?),
            Method::Narrowed => Self::Rounded(given::of(given.wide, bytes.saturating_mul(2), "the fp32 words")?),
            Method::Seconds => {
                let before = given::of(given.first_before, bytes, "the first moments of the base")?;
                Self::Seconds(numbers, [base()?, before, first()?])
            }
            Method::Weights => {
                Self::Weights(numbers, [base()?, first()?, given::of(given.second, bytes, "the second moments")?])
            }
            _ => Self::None,
        })
    }

    /// The bytes of this range, which may be made in `room`.
    pub(crate) fn at<'b>(&self, range: Range<usize>, room: &'b mut Vec<u8>) -> &'b [u8]
    where
        'a: 'b,
    {
        let cut = |bytes: &'a [u8]| bytes.get(range.clone()).unwrap_or_default();
        match self {
            Self::None => room.resize(range.len(), 0),
            Self::Base(base) => return cut(base),
            Self::Rounded(wide) => narrow::round(wide.get(2 * range.start..2 * range.end).unwrap_or_default(), room),
            Self::Seconds(numbers, words) => replay::seconds(numbers, words.map(cut), room),
            Self::Weights(numbers, words) => replay::weights(numbers, words.map(cut), room),
        }
        room
    }
}

/// A way that a stretch may be kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way<'a> {
    pub(crate) method: Method,
    pub(crate) numbers: Numbers,
    pub(crate) reference: Reference<'a>,
}

impl<'a> Way<'a> {
    /// Those for which everything is given, the plainest first.
    pub(crate) fn all(stretch: &Stretch<'a>) -> Vec<Self> {
        let Stretch { bytes, element, given, adamw } = *stretch;
        let mut methods = vec![(Method::Planes, Numbers::default())];
        methods.extend([Method::Difference, Method::Less, Method::Xor].map(|method| (method, Numbers::default())));
        if element == Element::Bf16 {
            methods.push((Method::Narrowed, Numbers::default()));
        }
        if element == Element::Four {
            let seconds = || match Reference::of(Method::Seconds, given, Numbers::default(), bytes.len()) {
                Ok(Reference::Seconds(_, words)) => fit::seconds(words, bytes),
                _ => None,
            };
            let weights = || match Reference::of(Method::Weights, given, Numbers::default(), bytes.len()) {
                Ok(Reference::Weights(_, words)) => fit::weights(words, bytes),
                _ => None,
            };
            let seconds = adamw.map(|told| told.for_seconds()).or_else(seconds);
            let weights = adamw.map(|told| told.for_weights()).or_else(weights);
            methods.extend(seconds.map(|numbers| (Method::Seconds, numbers)));
            methods.extend(weights.map(|numbers| (Method::Weights, numbers)));
        }
        let way = |(method, numbers)| {
            let reference = Reference::of(method, given, numbers, bytes.len()).ok()?;
            Some(Self { method, numbers, reference })
        };
        methods.into_iter().filter_map(way).collect()
    }
}

/// The numbers of a replay, as they stand before its planes; none for other methods.
pub(crate) fn numbers(method: Method, from: &mut &[u8]) -> Result<Numbers, Error> {
    let mut numbers = Numbers::default();
    if method.replays() {
        for number in &mut numbers {
            *number = f32::from_le_bytes(*take(from, 4)?.first_chunk().ok_or(Error::Short)?);
        }
    }
    Ok(numbers)
}
