//! Hostile plugins that are no text: bytes that are no component, components that are cut or of which a bit is not as it
//! was, components of too much, and settings that are bombs.

use serde_json::json;
use tidegate_tests_support::guest;

use super::{
    changed::whole,
    fixture::{End, Fixture, add_manifest, add_section, leb},
};

/// How a component begins.
const PREAMBLE: &[u8] = b"\0asm\x0d\0\x01\0";

fn not_uploaded(code: &str, said: &str) -> End {
    End::NotUploaded { code: code.into(), said: vec![said.into()] }
}

fn good() -> Vec<u8> {
    guest::component("", "").unwrap()
}

pub(super) fn all() -> Vec<Fixture> {
    let mut all = no_components();
    all.extend(too_much());
    all.extend(settings());
    all
}

fn no_components() -> Vec<Fixture> {
    let core = wat::parse_str("(module)").unwrap();
    let mut painted = whole();
    let name = b"bot/state@";
    let places: Vec<usize> = (0..painted.len()).filter(|at| painted[*at..].starts_with(name)).collect();
    places.iter().for_each(|at| painted[*at..at + name.len()].copy_from_slice(b"bot/\x1b[31m@"));
    [
        ("bytes-none", Vec::new(), ""),
        ("bytes-script", b"#!/bin/sh\nrm -rf /\n".to_vec(), "WebAssembly"),
        ("bytes-zip", b"PK\x03\x04 and so on".to_vec(), "WebAssembly"),
        ("bytes-elf", std::fs::read("/proc/self/exe").unwrap()[..100_000].to_vec(), "WebAssembly"),
        ("bytes-zeros", vec![0; 100_000], "WebAssembly"),
        ("core-module", core, "module"),
        ("component-of-a-preamble", PREAMBLE.to_vec(), "export"),
        ("component-of-the-next-version", [b"\0asm\x0e\0\x01\0".as_slice(), &[0; 100]].concat(), "version"),
        ("import-of-control-characters", painted, "kebab"),
        ("section-of-4-gigabytes", [PREAMBLE, &[1, 255, 255, 255, 255, 15, 0]].concat(), ""),
    ]
    .map(|(name, bytes, said)| Fixture::new(name, bytes, not_uploaded("TG0021", said)))
    .into()
}

fn too_much() -> Vec<Fixture> {
    let parsed = |text: &str| wat::parse_str(text).unwrap();
    let nested = (0..500).fold(PREAMBLE.to_vec(), |within, _| [PREAMBLE, &[4], &leb(within.len()), &within].concat());
    let instances = "(core instance (instantiate $m))".repeat(2000);
    let instances = parsed(&format!("(component (core module $m) {instances})"));
    let mut padded = good();
    add_section(&mut padded, "padding", &vec![0; 66 << 20]);
    let mut wordy = good();
    add_section(&mut wordy, "tidegate:plugin", &vec![b' '; (256 << 10) + 1]);
    let mut twice = good();
    let manifest = json!({ "name": "sly", "wants": {} });
    add_manifest(&mut twice, manifest.clone());
    add_manifest(&mut twice, manifest.clone());
    let mut deep = good();
    let schema = (0..5000).fold("{}".to_owned(), |within, _| format!(r#"{{"items":{within}}}"#));
    let text = format!(r#"{{"manifest":1,"name":"a","version":"1","worlds":["w"],"settings":{schema}}}"#);
    add_section(&mut deep, "tidegate:plugin", text.as_bytes());
    vec![
        Fixture::new("components-within-components", nested, not_uploaded("TG0021", "")),
        Fixture::new("instances-two-thousand", instances, not_uploaded("TG0021", "")),
        Fixture::new("bytes-beyond-the-bound", padded, not_uploaded("TG0025", "")),
        Fixture::new("manifest-beyond-the-bound", wordy, not_uploaded("TG0021", "bytes")),
        Fixture::new("manifest-twice", twice, not_uploaded("TG0021", "twice")),
        Fixture::new("manifest-schema-deep", deep, not_uploaded("TG0021", "")),
    ]
}

fn settings() -> Vec<Fixture> {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(65 << 10));
    let wide = format!("[{}0]", "0,".repeat(500_000));
    [
        ("settings-deep", deep, "TG0002"),
        ("settings-long", long, "TG0025"),
        ("settings-wide", wide, "TG0025"),
        ("settings-cut", "{\"a\":".into(), "TG0002"),
        ("settings-without-end", "1e999".into(), "TG0002"),
    ]
    .map(|(name, settings, code)| {
        let end = End::NotInstalled { code: code.into(), said: vec![String::new()] };
        Fixture { settings, ..Fixture::new(name, good(), end) }
    })
    .into()
}
