//! AdamW's own arithmetic, done again: from the checkpoint of one step before, and the first moments of this one, the second
//! moments and then the weights follow up to their last bits. The gradient is what the first moments changed by.
//!
//! Everything is computed in IEEE singles, one operation after the other, so every machine predicts the same. A trainer's kernels
//! round otherwise (fused, in another order); what they differ by is kept, and is nearly always nothing. Measured on a
//! byte-level GPT in JAX, one step apart: second moments and weights nearly vanish (figures of the whole in
//! `host/README.md`).

/// What a trainer's AdamW was told for the step that made a checkpoint from the one before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// The share of the first moments that is kept; 0.9 by default in most libraries.
    pub beta1: f64,
    /// The share of the second moments that is kept; 0.999 by default in most libraries.
    pub beta2: f64,
    /// The learning rate of this step.
    pub rate: f64,
    /// What keeps the division finite.
    pub epsilon: f64,
    /// The weights' decay, before the rate is applied.
    pub decay: f64,
    /// The optimizer's own count of steps, from 1, after this one.
    pub step: u64,
}

/// The numbers that a prediction is computed with, as they stand in the encoded block.
pub(crate) type Numbers = [f32; 4];

impl AdamW {
    /// Kept and new share of the second moments, kept share of the first, what a gradient is to be multiplied with.
    pub(crate) fn for_seconds(&self) -> Numbers {
        [self.beta2, 1.0 - self.beta2, self.beta1, 1.0 / (1.0 - self.beta1)].map(|number| number as f32)
    }

    /// Rate with the first moments' correction, correction of the second ones, epsilon, rate of the decay.
    pub(crate) fn for_weights(&self) -> Numbers {
        let correction = |beta: f64| 1.0 / (1.0 - beta.powi(i32::try_from(self.step).unwrap_or(i32::MAX)));
        let rate = self.rate * correction(self.beta1);
        [rate, correction(self.beta2), self.epsilon, self.rate * self.decay].map(|number| number as f32)
    }
}

/// The second moments of this step, from those before, the first moments before and the first moments now.
pub(crate) fn seconds(numbers: &Numbers, words: [&[u8]; 3], into: &mut Vec<u8>) {
    let [kept, new, kept_first, scale] = *numbers;
    predict(words, into, |[second, first_before, first]| {
        let gradient = (first - kept_first * first_before) * scale;
        kept * second + new * (gradient * gradient)
    });
}

/// The weights of this step, from those before, the first moments and the second moments now.
pub(crate) fn weights(numbers: &Numbers, words: [&[u8]; 3], into: &mut Vec<u8>) {
    let [rate, correction, epsilon, decay] = *numbers;
    predict(words, into, |[weight, first, second]| {
        weight - (rate * first / ((second * correction).sqrt() + epsilon) + decay * weight)
    });
}

#[inline(always)]
fn predict(words: [&[u8]; 3], into: &mut Vec<u8>, of: impl Fn([f32; 3]) -> f32) {
    into.resize(words.iter().map(|bytes| bytes.len() / 4 * 4).min().unwrap_or(0), 0);
    let [a, b, c] = words.map(|bytes| bytes.as_chunks::<4>().0);
    for (((place, a), b), c) in into.as_chunks_mut::<4>().0.iter_mut().zip(a).zip(b).zip(c) {
        let number = of([a, b, c].map(|word| f32::from_le_bytes(*word)));
        *place = bits(number).to_le_bytes();
    }
}

/// Every NaN is the same: which one an operation gives is the machine's choice.
fn bits(number: f32) -> u32 {
    if number.is_nan() { f32::NAN.to_bits() } else { number.to_bits() }
}
