//! Lossless codecs for blocks of training state: fewer bytes, and exactly the same ones back.
//!
//! A block is cut into stretches of one kind of number. Each is kept the way that a sample of it says is smallest: as byte
//! planes, as differences from the same stretch of an earlier checkpoint, as roundings of fp32 words that are kept
//! anyway, or as it is. The same block and the same base give the same bytes on every machine.
//!
//! It is **not** a container: where bases lie, and which block is which, is recorded elsewhere, and so is the digest
//! that tells whether the right bytes came out. It does no IO, starts no thread and trusts nothing that it reads.
//!
//! ```
//! use tidegate_codec::{Decoder, Element, Encoder, Given, Stretch};
//! let base: Vec<u8> = (0..4096).flat_map(|n| (n as f32).sqrt().to_le_bytes()).collect();
//! let next: Vec<u8> = (0..4096).flat_map(|n| ((n as f32).sqrt() + 1e-6).to_le_bytes()).collect();
//! let given = Given { base: Some(&base), ..Given::default() };
//! let mut encoded = Vec::new();
//! Encoder::new()?.block(&[Stretch::new(&next, Element::Four).given(given)], &mut encoded)?;
//! assert!(encoded.len() < next.len() / 8);
//! let mut back = vec![0; next.len()];
//! Decoder::new()?.block(&encoded, &mut back, |_| given)?;
//! assert_eq!(back, next);
//! # Ok::<(), tidegate_codec::Error>(())
//! ```

mod counts;
mod decode;
mod element;
mod encode;
mod error;
mod fit;
mod frame;
mod given;
mod guess;
pub mod layout;
mod narrow;
mod pack;
mod plane;
mod planes;
mod predict;
mod replay;
mod sample;
#[cfg(test)]
mod tests;
mod varint;
mod word;

pub use decode::Decoder;
pub use element::Element;
pub use encode::{Choice, Encoder, Stretch};
pub use error::Error;
pub use frame::{Method, Needs, Part, parts, same};
pub use given::Given;
pub use narrow::narrowed;
pub use replay::AdamW;
