//! What a stretch would be if it followed from what else is given.

use crate::{
    Element, Stretch,
    frame::Method,
    given, narrow,
    replay::{self, Numbers},
};

/// Predictions of one stretch after the other.
#[derive(Default)]
pub(crate) struct Predictions {
    narrowed: Made,
    seconds: Made,
    weights: Made,
}

#[derive(Default)]
struct Made {
    numbers: Option<Numbers>,
    words: Vec<u8>,
}

/// One of them.
#[derive(Clone, Copy)]
pub(crate) struct Prediction<'a> {
    pub(crate) method: Method,
    /// What it was computed with.
    pub(crate) numbers: Option<&'a Numbers>,
    pub(crate) words: &'a [u8],
}

impl Predictions {
    /// Makes those that can be made of what is given.
    pub(crate) fn make(&mut self, stretch: &Stretch<'_>) {
        let Self { narrowed, seconds, weights } = self;
        [&mut *narrowed, seconds, weights].into_iter().for_each(|made| made.words.clear());
        let Stretch { bytes, element, given, adamw } = *stretch;
        let as_long = |given| given::of(given, bytes.len(), "").ok();
        if element == Element::Bf16
            && let Ok(wide) = given::of(given.wide, bytes.len().saturating_mul(2), "")
        {
            narrow::round(wide, &mut narrowed.words);
        }
        let (Element::Four, Some(adamw)) = (element, adamw) else { return };
        let (Some(base), Some(first)) = (as_long(given.base), as_long(given.first)) else { return };
        if let Some(before) = as_long(given.first_before) {
            replay::seconds(seconds.numbers.insert(adamw.for_seconds()), base, before, first, &mut seconds.words);
        }
        if let Some(second) = as_long(given.second) {
            replay::weights(weights.numbers.insert(adamw.for_weights()), base, first, second, &mut weights.words);
        }
    }

    /// Those that were made.
    pub(crate) fn made(&self) -> impl Iterator<Item = Prediction<'_>> {
        let all =
            [(Method::Narrowed, &self.narrowed), (Method::Seconds, &self.seconds), (Method::Weights, &self.weights)];
        let made = all.into_iter().filter(|(_, made)| !made.words.is_empty());
        made.map(|(method, made)| Prediction { method, numbers: made.numbers.as_ref(), words: &made.words })
    }
}
