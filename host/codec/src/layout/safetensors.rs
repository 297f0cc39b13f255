//! safetensors: the length of a JSON header (eight bytes), the header, the tensors.

use std::{collections::BTreeMap, ops::Range};

use serde::Deserialize;

use super::{HEADER, Read, Region};
use crate::Element;

#[derive(Deserialize)]
struct Tensor {
    dtype: String,
    data_offsets: (u64, u64),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Tensor(Tensor),
    Other(serde::de::IgnoredAny),
}

pub(super) fn regions<E>(size: u64, read: Read<'_, E>) -> Result<Option<Vec<Region>>, E> {
    let start = read(0..size.min(9))?;
    let Some((length, [b'{'])) = start.split_first_chunk() else { return Ok(None) };
    let length = u64::from_le_bytes(*length);
    if length > HEADER || length > size - 8 {
        return Ok(None);
    }
    let header = read(8..8 + length)?;
    let Ok(entries) = serde_json::from_slice::<BTreeMap<String, Entry>>(&header) else { return Ok(None) };
    let region = |(name, entry)| match entry {
        Entry::Tensor(tensor) => {
            Some(Region { range: range(&tensor, 8 + length)?, element: element(&tensor.dtype), name })
        }
        Entry::Other(_) => None,
    };
    Ok(Some(entries.into_iter().filter_map(region).collect()))
}

fn range(tensor: &Tensor, data: u64) -> Option<Range<u64>> {
    let (start, end) = tensor.data_offsets;
    Some(data.checked_add(start)?..data.checked_add(end)?)
}

fn element(dtype: &str) -> Element {
    match dtype {
        "BF16" => Element::Bf16,
        "F16" | "I16" | "U16" => Element::Two,
        "F32" | "I32" | "U32" => Element::Four,
        "F64" | "I64" | "U64" | "C64" => Element::Eight,
        _ => Element::Bytes,
    }
}
