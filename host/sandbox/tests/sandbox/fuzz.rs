//! Real components, damaged at random: none makes the host panic or hang, and what is still accepted is still held.
//!
//! `TIDEGATE_TEST_SEED` repeats a run and `TIDEGATE_TEST_MUTANTS` says how long it is; `cargo xtask prove fuzz` gives
//! large numbers. What finds its way by coverage stands in `fuzz/`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fastrand::Rng;
use tidegate_core::{PluginManifest, limits};
use tidegate_sandbox::Sandbox;

use crate::support::{PRUNE, built, guest, handle, hasty, sandbox};

/// A number from the environment.
fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

/// Goes through mutants; says of one that panics how to get it again. Answers how many were accepted.
fn each(rounds: u64, mut mutant: impl FnMut(&mut Rng) -> Vec<u8>, look: impl Fn(&[u8]) -> bool) -> u64 {
    let (seed, rounds) = (number("TIDEGATE_TEST_SEED", 0x7465_6964_6761_7465), number("TIDEGATE_TEST_MUTANTS", rounds));
    println!("TIDEGATE_TEST_SEED={seed} TIDEGATE_TEST_MUTANTS={rounds}");
    let mut random = Rng::with_seed(seed);
    let mut accepted = 0;
    for round in 0..rounds {
        let mutant = mutant(&mut random);
        let looked = catch_unwind(AssertUnwindSafe(|| look(&mutant)));
        accepted += u64::from(looked.unwrap_or_else(|_| panic!("mutant {round} of TIDEGATE_TEST_SEED={seed}")));
    }
    println!("{accepted} of {rounds} mutants were accepted");
    accepted
}

/// One to four changes: bits, bytes, pieces that are cut out, doubled, swapped or taken from another one, the end cut off.
fn mutate(whole: &[u8], other: &[u8], random: &mut Rng) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..random.usize(1..=4) {
        if bytes.is_empty() {
            break;
        }
        let at = random.usize(..bytes.len());
        let piece = at..at + random.usize(..=(bytes.len() - at).min(64));
        match random.u8(..8) {
            0 | 1 => bytes[at] ^= 1 << random.u8(..8),
            2 => bytes[at] = random.choice([0, 1, 0x7f, 0x80, 0xff]).unwrap(),
            3 => drop(bytes.drain(piece)),
            4 => {
                let doubled = bytes[piece].to_vec();
                bytes.splice(at..at, doubled);
            }
            5 => bytes[piece].reverse(),
            6 => {
                let from = random.usize(..other.len());
                bytes.splice(piece, other[from..(from + random.usize(..64)).min(other.len())].iter().copied());
            }
            _ => bytes.truncate(at),
        }
    }
    bytes
}

/// Loads it; what is a plugin runs, and ends.
fn load(sandbox: &Sandbox, bytes: &[u8]) -> bool {
    let Ok(plugin) = sandbox.load(bytes) else { return false };
    let _ = plugin.configure("{}");
    let _ = handle(&plugin).1.result;
    true
}

#[test]
fn a_damaged_component_is_refused_or_held() {
    let (sandbox, whole) = (hasty(), guest(PRUNE, "(drop (memory.grow (i32.const 1)))"));
    let other = guest("", "unreachable");
    each(2000, |random| mutate(&whole, &other, random), |bytes| load(&sandbox, bytes));
}

#[test]
fn of_a_damaged_first_party_plugin_the_manifest_is_read_or_refused() {
    let (replicate, prune) = (built("replicate"), built("prune"));
    let accepted = each(
        1000,
        |random| mutate(&replicate, &prune, random),
        |bytes| tidegate_sandbox::manifest(bytes).is_ok_and(|manifest| manifest.is_some()),
    );
    assert!(accepted > 0, "most damage is elsewhere");
}

#[test]
fn a_damaged_manifest_is_refused_or_keeps_its_rules() {
    let whole = tidegate_sandbox::manifest(&built("prune")).unwrap().unwrap().encode().unwrap();
    each(
        4000,
        |random| {
            mutate(&whole, br#"{"properties":{"a":{"enum":[1e999,"\u001b"]}},"wants":{"prune":{"why":""}}}"#, random)
        },
        |bytes| {
            let Ok(manifest) = PluginManifest::decode(bytes) else { return false };
            assert!(manifest.encode().is_ok(), "what was read can be written");
            assert!(!manifest.description.contains(char::is_control) && manifest.worlds.len() <= 16);
            true
        },
    );
}

#[test]
fn whatever_settings_a_plugin_gets_it_says_yes_or_no() {
    let sandbox = sandbox();
    let plugins = [sandbox.load(&built("replicate")).unwrap(), sandbox.load(&built("prune")).unwrap()];
    let (replicate, prune) = (
        br#"{"target":"cold","jitter_seconds":1.5}"#.as_slice(),
        br#"{"keep_last":2,"keep_best":{"metric":"loss","count":2},"tiers":["nvme"]}"#.as_slice(),
    );
    let other = r#"[[[[{"":-0.0,"a":1e400,"é€":"\ud800","b":null}]]]]18446744073709551616"#.as_bytes();
    let accepted = each(
        500,
        |random| mutate(random.choice([replicate, prune]).unwrap(), other, random),
        |bytes| {
            let settings = String::from_utf8_lossy(bytes);
            let settings = if settings.len() > limits::SETTINGS_BYTES { "" } else { &settings };
            let said = plugins.iter().map(|plugin| plugin.configure(settings));
            said.fold(false, |accepted, said| {
                // It is a plugin of good will: it refuses in words, and needs no trap to do so.
                assert!(matches!(said, Ok(()) | Err(tidegate_sandbox::Fault::Error(_))), "{settings}: {said:?}");
                accepted | said.is_ok()
            })
        },
    );
    assert!(accepted > 0, "some damage is to a value that may be otherwise");
}
