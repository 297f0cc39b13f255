//! Encodes and decodes a file in blocks of 4 MiB, by itself or against an earlier one, and prints what came of it.
//!
//!     cargo run --release -p tidegate-codec --example ratios -- ELEMENT FILE [--base FILE] [--wide FILE]
//!         [--first FILE] [--first-before FILE] [--second FILE] [--adamw BETA1,BETA2,RATE,EPSILON,DECAY,STEP]
//!
//! ELEMENT is bytes, two, bf16, four or eight. A safetensors file's header is left out.
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::{error::Error, time::Instant};

use tidegate_codec::{AdamW, Decoder, Element, Encoder, Given, Stretch};

const BLOCK: usize = 4 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option =
        |name: &str| arguments.iter().skip_while(|word| *word != name).nth(1).map(|path| read(path)).transpose();
    let [element, file, ..] = arguments.as_slice() else {
        return Err("ELEMENT FILE [--base FILE] [--wide FILE]".into());
    };
    let element = match element.as_str() {
        "bytes" => Element::Bytes,
        "two" => Element::Two,
        "bf16" => Element::Bf16,
        "four" => Element::Four,
        "eight" => Element::Eight,
        other => return Err(format!("no element {other:?}").into()),
    };
    let (bytes, base, wide) = (read(file)?, option("--base")?, option("--wide")?);
    let (first, first_before, second) = (option("--first")?, option("--first-before")?, option("--second")?);
    let numbers = arguments.iter().skip_while(|word| *word != "--adamw").nth(1);
    let numbers = numbers.map(|list| list.split(',').map(str::parse).collect::<Result<Vec<f64>, _>>()).transpose()?;
    let adamw = match numbers.as_deref() {
        Some(&[beta1, beta2, rate, epsilon, decay, step]) => {
            Some(AdamW { beta1, beta2, rate, epsilon, decay, step: step as u64 })
        }
        _ => None,
    };
    let (mut encoder, mut decoder, mut back) = (Encoder::new()?, Decoder::new()?, vec![0; BLOCK]);
    let (mut encoded, mut encode, mut decode) = (0, 0.0, 0.0);
    let mut ways = std::collections::BTreeMap::new();
    for (nth, block) in bytes.chunks(BLOCK).enumerate() {
        let start = nth * BLOCK;
        let given = Given {
            base: base.as_ref().and_then(|base| base.get(start..start + block.len())),
            wide: wide.as_ref().and_then(|wide| wide.get(2 * start..2 * (start + block.len()))),
            first: first.as_ref().and_then(|first| first.get(start..start + block.len())),
            first_before: first_before.as_ref().and_then(|first| first.get(start..start + block.len())),
            second: second.as_ref().and_then(|second| second.get(start..start + block.len())),
        };
        let mut out = Vec::with_capacity(BLOCK + 16);
        let begun = Instant::now();
        for choice in encoder.block(&[Stretch { bytes: block, element, given, adamw }], &mut out)? {
            *ways.entry(format!("{:?}", choice.method)).or_insert(0) += choice.bytes;
        }
        encode += begun.elapsed().as_secs_f64();
        encoded += out.len();
        let back = back.get_mut(..block.len()).ok_or("a block over its size")?;
        let begun = Instant::now();
        decoder.block(&out, back, |_| given)?;
        decode += begun.elapsed().as_secs_f64();
        assert!(back == block, "block {nth} did not come back");
    }
    let speed = |seconds: f64| bytes.len() as f64 / seconds / 1e9;
    let ratio = bytes.len() as f64 / encoded as f64;
    println!("ratio {ratio:.3}, encode {:.2} GB/s, decode {:.2} GB/s, {ways:?}", speed(encode), speed(decode));
    Ok(())
}

fn read(path: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut bytes = std::fs::read(path)?;
    if path.ends_with(".safetensors") {
        let header = bytes.first_chunk().ok_or("no safetensors file")?;
        let header = 8 + usize::try_from(u64::from_le_bytes(*header))?;
        bytes.drain(..header);
    }
    Ok(bytes)
}
