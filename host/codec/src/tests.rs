use proptest::prelude::*;

use crate::{AdamW, Decoder, Element, Encoder, Error, Given, Method, Needs, Stretch, parts};

const ELEMENTS: [Element; 5] = [Element::Bytes, Element::Two, Element::Bf16, Element::Four, Element::Eight];

/// Bytes of several characters: noise, smooth numbers, runs, nearly nothing, one byte.
fn bytes(kind: u8, length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut draw = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u32
    };
    let all: Vec<u8> = match kind {
        0 => (0..length).map(|_| draw() as u8).collect(),
        1 => (0..length / 4 + 1).flat_map(|_| (f64::from(draw()) * 1e-9).to_le_bytes()).collect(),
        2 => (0..length).map(|at| (at / 300) as u8).collect(),
        3 => (0..length).map(|_| draw()).map(|drawn| if drawn % 11 == 0 { (drawn >> 9) as u8 } else { 0 }).collect(),
        _ => vec![draw() as u8; length],
    };
    all.into_iter().take(length).collect()
}

/// The same bytes, a few of them a little different.
fn near(bytes: &[u8], seed: u64) -> Vec<u8> {
    let noise = self::bytes(0, bytes.len(), seed);
    bytes.iter().zip(noise).map(|(byte, noise)| if noise < 40 { byte.wrapping_add(noise % 3) } else { *byte }).collect()
}

#[derive(Debug, Clone)]
struct Made {
    bytes: Vec<u8>,
    element: Element,
    base: Option<Vec<u8>>,
    wide: Option<Vec<u8>>,
}

impl Made {
    fn given(&self) -> Given<'_> {
        Given { base: self.base.as_deref(), wide: self.wide.as_deref(), ..Given::default() }
    }
}

fn made() -> impl Strategy<Value = Made> {
    (0_u8..5, 0_usize..9000, any::<u64>(), prop::sample::select(&ELEMENTS[..]), 0_u8..4).prop_map(
        |(kind, length, seed, element, relation)| {
            let bytes = bytes(kind, length, seed);
            let base = match relation {
                0 => None,
                1 => Some(bytes.clone()),
                2 => Some(near(&bytes, seed)),
                _ => Some(self::bytes(0, length, !seed)),
            };
            let wide = (seed % 3 == 0).then(|| bytes.chunks(2).flat_map(|two| [&[9, 0], two].concat()).collect());
            Made { bytes, element, base, wide }
        },
    )
}

fn encode(made: &[Made]) -> (Vec<u8>, Vec<u8>) {
    let stretches: Vec<Stretch<'_>> =
        made.iter().map(|made| Stretch::new(&made.bytes, made.element).given(made.given())).collect();
    let mut out = Vec::new();
    Encoder::new().unwrap().block(&stretches, &mut out).unwrap();
    (made.iter().flat_map(|made| made.bytes.clone()).collect(), out)
}

/// Base and fp32 words of a part, by where it lies in the block.
fn given<'a>(made: &'a [Made], part: &crate::Part<'_>) -> Given<'a> {
    let mut start = 0;
    for made in made {
        let end = start + made.bytes.len();
        if part.range.start < end {
            let within = part.range.start - start..part.range.end.min(end) - start;
            let wide = made.wide.as_ref().and_then(|wide| wide.get(2 * within.start..2 * within.end));
            return Given { base: made.base.as_ref().and_then(|base| base.get(within)), wide, ..Given::default() };
        }
        start = end;
    }
    Given::default()
}

proptest! {
    #[test]
    fn every_block_comes_back_and_is_hardly_longer(made in prop::collection::vec(made(), 0..6)) {
        let (block, out) = encode(&made);
        prop_assert!(out.len() <= block.len() + 16, "{} of {}", out.len(), block.len());
        prop_assert_eq!(&encode(&made).1, &out);
        let mut back = vec![0xaa; block.len()];
        Decoder::new().unwrap().block(&out, &mut back, |part| given(&made, part)).unwrap();
        prop_assert_eq!(back, block);
    }

    #[test]
    fn a_cut_or_changed_block_is_an_error_or_other_bytes_and_nothing_worse(
        made in prop::collection::vec(made(), 1..4), at in any::<prop::sample::Index>(), flip in 1_u8..,
    ) {
        let (block, out) = encode(&made);
        let mut back = vec![0; block.len()];
        let at = at.index(out.len());
        let mut decoder = Decoder::new().unwrap();
        prop_assert!(decoder.block(&out[..at], &mut back, |part| given(&made, part)).is_err());
        let mut changed = out.clone();
        changed[at] ^= flip;
        let _ = decoder.block(&changed, &mut back, |part| given(&made, part));
        changed.clone_from(&out);
        changed.push(flip);
        prop_assert_eq!(decoder.block(&changed, &mut back, |part| given(&made, part)), Err(Error::Long(1)));
    }

    #[test]
    fn bytes_of_any_kind_are_no_block_or_one(bytes in prop::collection::vec(any::<u8>(), 0..300), length in 0_usize..5000) {
        let zeros = vec![0; 2 * length];
        let mut back = vec![0; length];
        let mut started = vec![1, 1];
        started.extend(&bytes);
        for bytes in [&bytes, &started] {
            let given = |part: &crate::Part<'_>| Given { base: zeros.get(part.range.clone()), wide: zeros.get(..2 * part.range.len()), ..Given::default() };
            let _ = Decoder::new().unwrap().block(bytes, &mut back, given);
        }
    }
}

#[test]
fn what_a_part_needs_is_told_before_it_is_read() {
    let words = bytes(1, 8000, 1);
    let base = near(&words, 2);
    let made = Made { bytes: words, element: Element::Four, base: Some(base), wide: None };
    let (block, out) = encode(std::slice::from_ref(&made));
    let found = parts(&out, block.len()).unwrap();
    assert_eq!((found[0].method.needs(), found[0].width), (Needs { base: true, ..Needs::default() }, 4));
    let mut back = vec![0; block.len()];
    let missing = Decoder::new().unwrap().block(&out, &mut back, |_| Given::default());
    assert_eq!(missing, Err(Error::Missing("the base")));
}

#[test]
fn the_way_follows_what_is_there() {
    let smooth =
        |shift: f32| (0..50_000_u32).flat_map(|n| ((n as f32 * 0.37).sin() + shift).to_le_bytes()).collect::<Vec<u8>>();
    let (now, before, noise) = (smooth(1e-6), smooth(0.0), bytes(0, 200_000, 3));
    let bf16: Vec<u8> = now
        .chunks_exact(4)
        .flat_map(|word| {
            let word = u32::from_le_bytes(word.try_into().unwrap());
            (((word + 0x7fff + (word >> 16 & 1)) >> 16) as u16).to_le_bytes()
        })
        .collect();
    let way = |bytes: &[u8], element, given| {
        let mut out = Vec::new();
        let choices = Encoder::new().unwrap().block(&[Stretch::new(bytes, element).given(given)], &mut out).unwrap();
        (choices[0].method, bytes.len() / out.len())
    };
    let base = |base| Given { base: Some(base), ..Given::default() };
    let alone = Given::default();
    let (high, low) = (bytes(0, 200_000, 7), bytes(0, 200_000, 11));
    let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
    let sunk = high.chunks_exact(4).zip(low.chunks_exact(4));
    let sunk: Vec<u8> =
        sunk.flat_map(|(high, low)| word(high).wrapping_sub(word(low) & 0xffff).to_le_bytes()).collect();
    assert_eq!(way(&sunk, Element::Four, base(&high)), (Method::Less, 1));
    assert_eq!(way(&noise, Element::Four, alone), (Method::Raw, 0));
    assert_eq!(way(&now, Element::Four, alone), (Method::Planes, 1));
    assert_eq!(way(&now, Element::Four, base(&now)).0, Method::Same);
    assert!(matches!(way(&now, Element::Four, base(&before)), (Method::Difference, 2..)));
    assert_eq!(way(&now, Element::Four, base(&noise)).0, Method::Planes);
    assert!(matches!(
        way(&bf16, Element::Bf16, Given { wide: Some(&now), ..Given::default() }),
        (Method::Narrowed, 1000..)
    ));
    assert!(matches!(way(&vec![0; 200_000], Element::Four, base(&before)), (Method::Repeat, 10_000..)));
}

/// The written form, byte by byte: other programs read it by `frame.rs` alone.
#[test]
fn the_form_is_as_written() {
    let mut encoder = Encoder::new().unwrap();
    let mut out = Vec::new();
    let base = [1, 2, 3, 4, 5, 6, 7, 8];
    let given = Given { base: Some(&base), ..Given::default() };
    let stretches = [
        Stretch::new(b"abc", Element::Bytes),
        Stretch::new(&[7, 0, 7, 0, 7, 0, 7, 0, 7, 0], Element::Two),
        Stretch::new(&base, Element::Four).given(given),
    ];
    encoder.block(&stretches, &mut out).unwrap();
    assert_eq!(out, [1, 3, 3, 0, b'a', b'b', b'c', 10, 0x11, 7, 0, 8, 0x22]);
    let mut back = vec![0; 21];
    Decoder::new().unwrap().block(&out, &mut back, |_| given).unwrap();
    // Differences of +1 from the base, folded: 2 in the lowest plane, nothing in the others.
    let made = [1, 1, 8, 0x24, 8, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0];
    let mut back = vec![0; 8];
    Decoder::new().unwrap().block(&made, &mut back, |_| given).unwrap();
    assert_eq!(back, [2, 2, 3, 4, 6, 6, 7, 8]);
    // What is less than the base by 1, in each word.
    let made = [1, 1, 8, 0x26, 8, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    Decoder::new().unwrap().block(&made, &mut back, |_| given).unwrap();
    assert_eq!(back, [0, 2, 3, 4, 4, 6, 7, 8]);
    // One bit of each byte in the packed plane; the two that are set are the next of those apart.
    let made = [1, 1, 8, 3, 6, 0, 0, 0, 4, 1, 0b101, 1, 9, 7];
    Decoder::new().unwrap().block(&made, &mut back, |_| given).unwrap();
    assert_eq!(back, [9, 0, 7, 0, 0, 0, 0, 0]);
}

/// Fp32 words.
fn words(of: impl Fn(u32) -> f64) -> Vec<u8> {
    (0..50_000).flat_map(|n| (of(n) as f32).to_le_bytes()).collect()
}

#[test]
fn a_step_of_adamw_is_done_again_told_or_not_and_comes_back_whatever_the_trainer_rounded() {
    let wave = |n: u32, shift: f64| (f64::from(n) * 0.37 + shift).sin();
    let adamw = AdamW { beta1: 0.9, beta2: 0.999, rate: 3e-4, epsilon: 1e-8, decay: 0.1, step: 100 };
    let first = |n| 1e-3 * wave(n, 0.0);
    let gradient = |n| 1e-3 * wave(n, 2.0);
    let second = |n| 1e-6 * (1.5 + wave(n, 1.0));
    let first_now = |n| 0.9 * first(n) + 0.1 * gradient(n);
    let second_now = |n| 0.999 * second(n) + 0.001 * gradient(n) * gradient(n);
    let weight = |n| 0.02 * wave(n, 3.0);
    let weight_now = |n| {
        let (first, second) = (first_now(n) / (1.0 - 0.9_f64.powi(100)), second_now(n) / (1.0 - 0.999_f64.powi(100)));
        weight(n) - 3e-4 * (first / (second.sqrt() + 1e-8) + 0.1 * weight(n))
    };
    let (base, first_before, first) = (words(second), words(first), words(first_now));
    let (weights, second) = (words(weight), words(second_now));
    let stretches = [
        (
            &second,
            Given { base: Some(&base), first_before: Some(&first_before), first: Some(&first), ..Given::default() },
        ),
        (
            &words(weight_now),
            Given { base: Some(&weights), first: Some(&first), second: Some(&second), ..Given::default() },
        ),
    ];
    for ((bytes, given), method) in stretches.into_iter().zip([Method::Seconds, Method::Weights]) {
        for (off, adamw) in [(0, Some(adamw)), (1, Some(adamw)), (0, None), (1, None)] {
            let bytes: Vec<u8> = bytes
                .chunks_exact(4)
                .flat_map(|word| (u32::from_le_bytes(word.try_into().unwrap()) + off).to_le_bytes())
                .collect();
            let mut out = Vec::new();
            let stretch = Stretch { adamw, ..Stretch::new(&bytes, Element::Four).given(given) };
            let choices = Encoder::new().unwrap().block(&[stretch], &mut out).unwrap();
            assert_eq!(choices[0].method, method);
            assert!(out.len() * 10 < bytes.len(), "{} of {}", out.len(), bytes.len());
            let mut back = vec![0; bytes.len()];
            Decoder::new().unwrap().block(&out, &mut back, |_| given).unwrap();
            assert_eq!(back, bytes);
        }
    }
}
