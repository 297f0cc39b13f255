//! The numbers of a step of AdamW, told from what it did: nobody need say a trainer's hyper-parameters.
//!
//! Both rules are sums of known terms, each with an unknown factor, so least squares over a sample find the factors, as exactly
//! as fp32 has the words. A sample may reach into a tensor with other factors: what fits badly is left out and the rest fitted
//! again. Whether a step was one at all, the sizes tell that come of it.

use crate::replay::Numbers;

/// Places in a stretch that are looked at.
const SPOTS: usize = 16;
/// Words of one spot.
const WORDS: usize = 64;
/// Fits of one sample.
const ROUNDS: usize = 4;

/// Of the second moments: base, first moments of the base, first moments, and what came of them.
pub(crate) fn seconds(words: [&[u8]; 3], now: &[u8]) -> Option<Numbers> {
    let sample = sample(words, now);
    // Every word is as exact as it is large.
    let rows = sample.iter().filter(|[.., now]| *now > 0.0).map(|[second, before, first, now]| {
        ([second / now, first * first / now, first * before / now, before * before / now], 1.0)
    });
    let [kept, new, mixed, _] = robust(&rows.collect::<Vec<_>>())?;
    finite([kept, new, -mixed / (2.0 * new), 1.0])
}

/// Of the weights: base, first moments, second moments, and what came of them.
pub(crate) fn weights(words: [&[u8]; 3], now: &[u8]) -> Option<Numbers> {
    let sample = sample(words, now);
    let (mut epsilon, mut found) = (0.0, None);
    for _ in 0..2 {
        let rows = sample.iter().filter(|[_, _, second, _]| *second > 0.0).map(|[weight, first, second, now]| {
            let root = second.sqrt() + epsilon;
            ([first / root, first / (root * root), *weight, 0.0], weight - now)
        });
        // What a little more epsilon does is known to first order: the second factor.
        let [rate, slope, decay, _] = robust(&rows.collect::<Vec<_>>())?;
        epsilon = (epsilon - slope / rate).max(0.0);
        found = finite([rate, 1.0, epsilon, decay]);
    }
    found
}

fn finite(numbers: [f64; 4]) -> Option<Numbers> {
    let numbers = numbers.map(|number| number as f32);
    numbers.iter().all(|number| number.is_finite()).then_some(numbers)
}

fn sample(words: [&[u8]; 3], now: &[u8]) -> Vec<[f64; 4]> {
    let [a, b, c] = words;
    let [a, b, c, now] = [a, b, c, now].map(|bytes| bytes.as_chunks::<4>().0);
    let stride = (now.len() / SPOTS).max(WORDS);
    let spots = a.chunks(stride).zip(b.chunks(stride)).zip(c.chunks(stride)).zip(now.chunks(stride));
    let words = spots.flat_map(|(((a, b), c), now)| a.iter().zip(b).zip(c).zip(now).take(WORDS));
    let row = |(((a, b), c), now)| [a, b, c, now].map(|word: &[u8; 4]| f64::from(f32::from_le_bytes(*word)));
    words.map(row).filter(|row| row.iter().all(|number| number.is_finite())).collect()
}

type Row = ([f64; 4], f64);

/// The factors of least squares, of those rows that they fit.
fn robust(rows: &[Row]) -> Option<[f64; 4]> {
    let mut factors = solve(rows.iter())?;
    for _ in 1..ROUNDS {
        let off = |(terms, sum): &Row| {
            (terms.iter().zip(&factors).map(|(term, factor)| term * factor).sum::<f64>() - sum).abs()
        };
        let mut all: Vec<f64> = rows.iter().map(off).collect();
        let middle = all.len() / 2;
        let (_, median, _) = all.select_nth_unstable_by(middle, f64::total_cmp);
        let limit = *median * 4.0;
        factors = solve(rows.iter().filter(|row| off(row) <= limit))?;
    }
    Some(factors)
}

/// Least squares: the normal equations, by elimination. A term that is zero everywhere gets no factor.
fn solve<'a>(rows: impl Iterator<Item = &'a Row>) -> Option<[f64; 4]> {
    let mut matrix = [[0.0; 5]; 4];
    let mut count = 0;
    for (terms, sum) in rows {
        count += 1;
        for (line, term) in matrix.iter_mut().zip(terms) {
            let terms = terms.iter().chain([sum]);
            line.iter_mut().zip(terms).for_each(|(place, other)| *place += term * other);
        }
    }
    if count < WORDS {
        return None;
    }
    let mut done: [[f64; 5]; 4] = [[0.0; 5]; 4];
    for pivot in 0..4 {
        let mut line = *matrix.get(pivot)?;
        let head = *line.get(pivot)?;
        if head != 0.0 {
            line.iter_mut().for_each(|number| *number /= head);
        }
        for other in matrix.iter_mut().chain(done.iter_mut().take(pivot)) {
            let times = *other.get(pivot)?;
            other.iter_mut().zip(&line).for_each(|(place, number)| *place -= times * number);
        }
        *done.get_mut(pivot)? = line;
    }
    Some(done.map(|[.., factor]| factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_found_whatever_a_few_rows_say() {
        let wave = |n: u32, shift: f64| (f64::from(n) * 0.37 + shift).sin();
        let row = |n: u32| {
            let terms = [wave(n, 0.0), wave(2 * n, 1.0), 0.0, 1.0];
            (terms, if n.is_multiple_of(10) { 5.0 } else { 3.0 * terms[0] - 0.5 * terms[1] + 0.25 })
        };
        let [a, b, none, c] = robust(&(0..1000).map(row).collect::<Vec<_>>()).unwrap();
        assert!((a - 3.0).abs() + (b + 0.5).abs() + (c - 0.25).abs() < 1e-9, "{a} {b} {c}");
        assert_eq!(none, 0.0);
        assert_eq!(robust(&[]), None);
    }
}
