//! What the codecs make of checkpoints of a real training run, beside what a user would take instead: the example trains, and
//! its whole optimizer state (bf16 weights, fp32 weights, first and second moments: 14 bytes a parameter) is encoded
//! against an earlier step. Everything is decoded again and compared.

use std::{hint::black_box, time::Instant};

use anyhow::{Context, Result, anyhow, ensure};
use tidegate_codec::{AdamW, Decoder, Element, Encoder, Given, Stretch};
use tidegate_tests_support::stats::Spread;
use zstd_safe::{CCtx, CParameter};

use crate::{
    Args,
    figure::{Figure, spread},
    peers::Peers,
    state::{BETA2, STEP, State, states},
};

/// Bytes that are encoded together.
const BLOCK: usize = 4 << 20;

/// What came of one way of keeping bytes.
#[derive(Default)]
struct Kept {
    raw: usize,
    encoded: usize,
    encode: f64,
    decode: f64,
}

impl Kept {
    fn ratio(&self) -> f64 {
        self.raw as f64 / self.encoded as f64
    }

    fn add(&mut self, other: &Self) {
        self.raw += other.raw;
        self.encoded += other.encoded;
        self.encode += other.encode;
        self.decode += other.decode;
    }
}

/// Encodes bytes block by block, decodes them again, and compares.
fn keep(bytes: &[u8], element: Element, given: Given<'_>, adamw: Option<AdamW>) -> Result<Kept> {
    let (mut encoder, mut decoder) = (Encoder::new()?, Decoder::new()?);
    let (mut kept, mut back) = (Kept { raw: bytes.len(), ..Kept::default() }, vec![0; BLOCK]);
    let mut out = Vec::with_capacity(BLOCK + 16);
    for (nth, block) in bytes.chunks(BLOCK).enumerate() {
        let (start, end) = (nth * BLOCK, nth * BLOCK + block.len());
        let given = Given {
            base: given.base.and_then(|it| it.get(start..end)),
            wide: given.wide.and_then(|it| it.get(2 * start..2 * end)),
            first: given.first.and_then(|it| it.get(start..end)),
            first_before: given.first_before.and_then(|it| it.get(start..end)),
            second: given.second.and_then(|it| it.get(start..end)),
        };
        out.clear();
        let begun = Instant::now();
        encoder.block(&[Stretch { bytes: block, element, given, adamw }], &mut out)?;
        kept.encode += begun.elapsed().as_secs_f64();
        kept.encoded += out.len();
        let back = back.get_mut(..block.len()).context("a block over its size")?;
        let begun = Instant::now();
        decoder.block(&out, back, |_| given)?;
        kept.decode += begun.elapsed().as_secs_f64();
        ensure!(back == block, "block {nth} did not come back");
    }
    Ok(kept)
}

/// A whole state against a base, with the trainer's hyper-parameters or without.
fn keep_state(state: &State, base: &State, adamw: Option<AdamW>) -> Result<Kept> {
    let against = |base| Given { base: Some(base), ..Given::default() };
    let mut kept = keep(&state.first, Element::Four, against(&base.first), None)?;
    let moments = Given { first: Some(&state.first), first_before: Some(&base.first), ..against(&base.second) };
    kept.add(&keep(&state.second, Element::Four, moments, adamw)?);
    let weights = Given { first: Some(&state.first), second: Some(&state.second), ..against(&base.weights) };
    kept.add(&keep(&state.weights, Element::Four, weights, adamw)?);
    let rounded = Given { wide: Some(&state.weights), ..against(&base.bf16) };
    kept.add(&keep(&state.bf16, Element::Bf16, rounded, None)?);
    Ok(kept)
}

/// `zstd -3`, or `zstd -3 --patch-from` a base. Bytes that come out, and seconds.
fn zstd(bytes: &[u8], base: Option<&[u8]>) -> Result<(usize, f64)> {
    let failed = |code| anyhow!("zstd: {}", zstd_safe::get_error_name(code));
    let mut context = CCtx::create();
    let mut set = |parameter| context.set_parameter(parameter).map_err(failed);
    set(CParameter::CompressionLevel(3))?;
    if base.is_some() {
        set(CParameter::EnableLongDistanceMatching(true))?;
        set(CParameter::WindowLog(29))?;
    }
    if let Some(base) = base {
        context.ref_prefix(base).map_err(failed)?;
    }
    let mut out = Vec::with_capacity(zstd_safe::compress_bound(bytes.len()));
    let begun = Instant::now();
    context.compress2(&mut out, bytes).map_err(failed)?;
    Ok((out.len(), begun.elapsed().as_secs_f64()))
}

pub(crate) fn measure(args: &Args) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (rate, number) in [("3e-4", 3e-4), ("1e-5", 1e-5)] {
        let folder = states(args, rate, BETA2)?;
        let read = |step: u64| State::read(&folder.join(step.to_string()));
        let state = read(STEP)?;
        let (whole, bytes) = (state.whole(), state.bytes());
        let ratio_of = |encoded: usize| bytes as f64 / encoded as f64;
        let (alone, _) = zstd(&whole, None)?;
        for k in [1, 10] {
            let base = read(STEP - k)?;
            let at = |step: u64| folder.join(step.to_string());
            let (mut peers, mut peers_bf16) = Peers::measure(args, &at(STEP), &at(STEP - k))?;
            let kept = keep_state(&state, &base, None)?;
            let (patched, _) = zstd(&whole, Some(&base.whole()))?;
            peers.tools.extend([(ALONE, ratio_of(alone)), (PATCH, ratio_of(patched))]);
            let note = format!("{bytes} bytes, step {STEP} against {k} before; {}", peers.told());
            figures.push(beside(format!("ratio_state_{rate}_k{k}"), kept.ratio(), &peers, note)?);
            let bf16 = keep(&state.bf16, Element::Bf16, Given { base: Some(&base.bf16), ..Given::default() }, None)?;
            let (patched, _) = zstd(&state.bf16, Some(&base.bf16))?;
            let (alone, _) = zstd(&state.bf16, None)?;
            let ratio_of = |encoded: usize| state.bf16.len() as f64 / encoded as f64;
            peers_bf16.tools.extend([(ALONE, ratio_of(alone)), (PATCH, ratio_of(patched))]);
            let note = format!("the bf16 weights alone; {}", peers_bf16.told());
            figures.push(beside(format!("ratio_bf16_{rate}_k{k}"), bf16.ratio(), &peers_bf16, note)?);
        }
        let base = read(STEP - 1)?;
        let adamw = AdamW { beta1: 0.9, beta2: BETA2.parse()?, rate: number, epsilon: 1e-8, decay: 0.1, step: STEP };
        let replay = keep_state(&state, &base, Some(adamw))?;
        let (patched, _) = zstd(&whole, Some(&base.whole()))?;
        let name = if rate == "3e-4" { "ratio_replay_k1".to_owned() } else { format!("ratio_replay_{rate}_k1") };
        let note = "with the trainer's hyper-parameters: moments and weights predicted by AdamW's own step".to_owned();
        figures.push(ratio(name, replay.ratio(), PATCH, ratio_of(patched), note));
        if rate == "3e-4" {
            figures.extend(speeds(args, &state, &base, &whole)?);
        }
    }
    Ok(figures)
}

const ALONE: &str = "`zstd -3`";
const PATCH: &str = "`zstd -3 --patch-from` the base";

/// Beside the best tool.
fn beside(name: String, value: f64, peers: &Peers, note: String) -> Result<Figure> {
    let (peer, peer_value) = peers.best().context("no peer was measured")?;
    Ok(ratio(name, value, peer, peer_value, note))
}

fn ratio(name: String, value: f64, peer: &'static str, peer_value: f64, note: String) -> Figure {
    Figure { name, value, unit: "x", peer, peer_value, ratio: value / peer_value, note }
}

/// Of the default choice, one thread.
fn speeds(args: &Args, state: &State, base: &State, whole: &[u8]) -> Result<Vec<Figure>> {
    let (mut encode, mut decode, mut peer) = (Vec::new(), Vec::new(), Vec::new());
    let mut plain = Vec::with_capacity(zstd_safe::compress_bound(whole.len()));
    zstd_safe::compress(&mut plain, whole, 3).map_err(|code| anyhow!("zstd: {}", zstd_safe::get_error_name(code)))?;
    let (mut back, mut peer_back) = (Vec::with_capacity(whole.len()), Vec::new());
    for _ in 0..args.rounds.unwrap_or(5) {
        let kept = keep_state(state, base, None)?;
        encode.push(kept.raw as f64 / kept.encode / 1e9);
        decode.push(kept.raw as f64 / kept.decode / 1e9);
        peer.push(whole.len() as f64 / zstd(whole, None)?.1 / 1e9);
        let begun = Instant::now();
        back.clear();
        zstd_safe::decompress(&mut back, &plain)
            .map_err(|code| anyhow!("zstd: {}", zstd_safe::get_error_name(code)))?;
        peer_back.push(whole.len() as f64 / begun.elapsed().as_secs_f64() / 1e9);
        black_box(&back);
    }
    let figure = |name: &str, ours: Vec<f64>, peer: &'static str, theirs: Vec<f64>| {
        let (ours, theirs) = (Spread::of(ours), Spread::of(theirs));
        let note = format!(
            "the whole state, one step apart, one thread: {}; the peer {}",
            spread(&ours, 1.0),
            spread(&theirs, 1.0)
        );
        let (value, peer_value) = (ours.median, theirs.median);
        Figure { name: name.into(), value, unit: "GB/s", peer, peer_value, ratio: value / peer_value, note }
    };
    Ok(vec![
        figure("encode_core", encode, "`zstd -3` of the same bytes", peer),
        figure("decode_core", decode, "`zstd -d` of the same bytes", peer_back),
    ])
}
