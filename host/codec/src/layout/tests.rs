use proptest::prelude::*;

use super::*;

fn of(bytes: &[u8]) -> Vec<Region> {
    let mut read = |range: Range<u64>| {
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        Ok::<_, std::convert::Infallible>(bytes[range].to_vec())
    };
    let Ok(found) = regions(bytes.len() as u64, &mut read);
    let mut end = 0;
    for region in &found {
        assert_eq!(region.range.start, end, "a gap or an overlap");
        assert!(region.range.end > end);
        end = region.range.end;
    }
    assert_eq!(end, bytes.len() as u64);
    found
}

fn safetensors(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.resize(bytes.len() + data, 7);
    bytes
}

fn named(found: &[Region]) -> Vec<(&str, Element, u64)> {
    let named = found.iter().filter(|region| !region.name.is_empty());
    named.map(|region| (region.name.as_str(), region.element, region.range.end - region.range.start)).collect()
}

const HEADER: &str = r#"{"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,2],"data_offsets":[8,16]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;

#[test]
fn a_safetensors_header_tells_its_tensors() {
    let found = of(&safetensors(HEADER, 16));
    assert_eq!(named(&found), [("a", Element::Four, 8), ("b", Element::Bf16, 8)]);
}

#[test]
fn a_header_that_lies_makes_a_file_opaque() {
    for (header, data) in [
        (HEADER.to_owned(), 15),
        (HEADER.replace("[8,16]", "[4,16]"), 16),
        (HEADER.replace("[8,16]", "[16,8]"), 16),
        (HEADER.replace("[8,16]", "[8,18446744073709551615]"), 16),
        (HEADER.replace("[0,8]", "[-1,8]"), 16),
        (HEADER.replace('}', ""), 16),
    ] {
        assert!(named(&of(&safetensors(&header, data))).len() < 2, "{header}");
    }
    let mut long = safetensors(HEADER, 16);
    long[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(of(&long).len(), 1);
}

#[test]
fn an_npy_header_tells_the_element() {
    let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (4,), }";
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend([1; 32]);
    let found = of(&bytes);
    assert_eq!((found.len(), found[1].element, found[1].range.start), (2, Element::Eight, 10 + header.len() as u64));
}

#[test]
fn a_stored_zip_tells_its_entries() {
    let data: Vec<u8> = (0..4096_u32).flat_map(|n| ((f64::from(n) * 0.37).sin() as f32).to_le_bytes()).collect();
    let (size, name) = (u32::try_from(data.len()).unwrap(), "archive/data/0");
    let head = |magic: &[u8], middle: usize| [magic, &vec![0; middle]].concat();
    let mut bytes = head(b"PK\x03\x04", 22);
    bytes.extend([name.len() as u8, 0, 6, 0]);
    bytes.extend(name.bytes());
    bytes.extend([0; 6]);
    bytes.extend(&data);
    let start = u32::try_from(bytes.len()).unwrap();
    bytes.extend(head(b"PK\x01\x02", 16));
    bytes.extend(size.to_le_bytes());
    bytes.extend(size.to_le_bytes());
    bytes.extend([name.len() as u8, 0]);
    bytes.extend([0; 16]);
    bytes.extend(name.bytes());
    let length = u32::try_from(bytes.len()).unwrap() - start;
    bytes.extend(head(b"PK\x05\x06", 8));
    bytes.extend(length.to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0, 0]);
    assert_eq!(named(&of(&bytes)), [(name, Element::Four, u64::from(size))]);
    for cut in 0..bytes.len() {
        of(&bytes[..cut]);
    }
}

proptest! {
    #[test]
    fn whatever_a_file_says_its_regions_cover_it(
        start in prop::sample::select(vec![&b""[..], b"\x93NUMPY\x01\x00", b"PK\x03\x04", b"\x20\0\0\0\0\0\0\0{"]),
        middle in prop::collection::vec(any::<u8>(), 0..300),
        end in prop::sample::select(vec![&b""[..], b"PK\x05\x06\0\0\0\0\0\0\0\0\x40\0\0\0\x10\0\0\0\0\0"]),
    ) {
        of(&[start, &middle, end].concat());
    }
}
