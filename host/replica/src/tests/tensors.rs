//! Files of tensors, of any shape and place: whatever headers say, what comes back is what was shipped.

use proptest::prelude::*;
use tidegate_core::Step;

use super::*;
use crate::{Base, Layout};

/// One tensor: how safetensors calls its numbers, their bytes, and how many there are.
#[derive(Debug, Clone)]
struct Tensor {
    dtype: &'static str,
    width: usize,
    numbers: usize,
}

fn tensors() -> impl Strategy<Value = Vec<Tensor>> {
    let kinds = prop::sample::select(vec![("F32", 4), ("BF16", 2), ("F16", 2), ("U8", 1), ("F64", 8), ("I64", 8)]);
    let one = (kinds, prop_oneof![1 => 0..9_usize, 4 => 9..5_000_usize, 1 => 1_000_000..1_200_000_usize]);
    let one = one.prop_map(|((dtype, width), numbers)| Tensor { dtype, width, numbers });
    prop::collection::vec(one, 1..6)
}

/// A safetensors file whose header is as long as `pad` makes it, at a step.
fn file(tensors: &[Tensor], pad: usize, step: u64) -> Vec<u8> {
    let (mut header, mut data) = (String::from("{"), Vec::new());
    for (nth, tensor) in tensors.iter().enumerate() {
        let start = data.len();
        let drift = |n: usize| ((n + 7 * nth) as f32 * 0.37).sin() + step as f32 * 1e-5;
        for n in 0..tensor.numbers {
            match tensor.width {
                8 => data.extend_from_slice(&f64::from(drift(n)).to_le_bytes()),
                4 => data.extend_from_slice(&drift(n).to_le_bytes()),
                2 => data.extend_from_slice(&tidegate_codec::narrowed(&drift(n).to_le_bytes())),
                _ => data.push((n % 7) as u8),
            }
        }
        let (dtype, numbers, end) = (tensor.dtype, tensor.numbers, data.len());
        let comma = if nth > 0 { "," } else { "" };
        header += &format!(
            "{comma}\"t{nth}\":{{\"dtype\":\"{dtype}\",\"shape\":[{numbers}],\"data_offsets\":[{start},{end}]}}"
        );
    }
    header += &format!("}}{}", " ".repeat(pad));
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    file.extend_from_slice(&data);
    file
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn tensors_come_back_whatever_their_place(
        of in tensors(), pads in (0..9_usize, 0..9_usize), raw in prop::collection::vec(any::<u8>(), 0..3_000), cut in 0..4_usize,
    ) {
        let at = |step: u64, pad: usize| {
            let mut masters = file(&of, pad, step);
            // A header that promises more than there is.
            masters.truncate(masters.len() - cut.min(masters.len()));
            let mut raw = raw.clone();
            raw.push(step as u8);
            let number: Step = step.try_into().unwrap();
            Shard::at(number, 0, 1, &[("a.safetensors", masters), ("b.safetensors", file(&of, pads.0, step)), ("raw", raw)])
        };
        let (first, second) = (at(1, pads.0), at(2, pads.1));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let target = Target::open("m".parse().unwrap(), "memory://", Options { layout: Layout::Packed, ..options() }).unwrap();
        runtime.block_on(async {
            first.ship(&target).await.unwrap();
            assert!(target.mark_complete(&first.body.run, first.body.step).await.unwrap());
            let (base, progress) = (Base::new(first.body.step, first.dir.path()), Progress::new());
            let (body, dir) = (&second.body, second.dir.path());
            target.ship_against(Some(&base), body, second.digest, &metrics(0.5), dir, &progress).await.unwrap();
            for shard in [&first, &second] {
                let into = Into::new();
                bring(shard, &[Source::Target(&target)], &into).await.unwrap();
                shard.assert_restored(&into.path());
            }
        });
    }
}
