//! What is no plugin of this host is refused when it is loaded, and the error says what it is.

use std::collections::BTreeSet;

use tidegate_core::Want;
use tidegate_sandbox::{Error, Options};

use crate::support::{
    PRUNE, built, changed_wit, component_for, guest, handle, hasty, module, sandbox, sandbox_with, small, with_manifest,
};

#[test]
fn bytes_that_are_no_component_are_told_apart() {
    let sandbox = sandbox();
    let load = |bytes: &[u8]| sandbox.load(bytes).unwrap_err();
    assert_eq!(load(b"#!/bin/sh\nexit 0"), Error::NotWasm);
    assert_eq!(load(b"(component)"), Error::NotWasm);
    assert!(matches!(load(b""), Error::Invalid(_)));
    assert_eq!(load(&wat::parse_str("(module)").unwrap()), Error::Module);
    let empty = load(&wat::parse_str("(component)").unwrap()).to_string();
    assert_eq!(empty, "not a tidegate:bot/policy plugin: it does not export the function `configure`");
}

#[test]
fn a_component_that_is_too_large_is_not_looked_at() {
    let small = sandbox_with(Options { component_bytes: 100, ..small() });
    assert_eq!(small.load(&[0; 101]).unwrap_err(), Error::TooLarge { bytes: 101, max: 100 });
}

#[test]
fn a_component_that_is_cut_is_refused_unless_only_notes_are_missing() {
    let (sandbox, whole) = (sandbox(), guest("", ""));
    let cuts = (0..whole.len()).filter_map(|cut| sandbox.load(&whole[..cut]).ok());
    let accepted: Vec<_> = cuts.map(|plugin| handle(&plugin).1.result).collect();
    // Behind the last export there are only custom sections: names, and who made it.
    assert!(accepted.len() <= 4 && accepted.iter().all(Result::is_ok), "{accepted:?}");
}

#[test]
fn a_component_with_flipped_bits_is_refused_or_held() {
    let (sandbox, whole) = (hasty(), guest("", ""));
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    println!("seed {seed:#x}");
    let mut accepted = 0;
    for _ in 0..1000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut damaged = whole.clone();
        let at = (seed >> 33) as usize % damaged.len();
        damaged[at] ^= 1 << ((seed >> 29) & 7);
        if let Ok(plugin) = sandbox.load(&damaged) {
            accepted += 1;
            // Whatever it does now, it ends.
            let _ = handle(&plugin).1.result;
        }
    }
    println!("{accepted} of 1000 were still plugins");
}

#[test]
fn another_version_of_the_contract_is_refused_however_near_it_is() {
    let top = r#"(import "tidegate:bot/log@0.2.0" "line" (func (param i32 i32 i32)))"#;
    for version in ["0.1.1", "0.2.1", "0.3.0", "1.0.0"] {
        let wit = changed_wit(version, &[("@0.2.0", &format!("@{version}"))]);
        let text = module(top, "").replace("@0.2.0", &format!("@{version}"));
        let error = sandbox().load(&component_for(&wit, &text)).unwrap_err();
        assert_eq!(error, Error::Version { wants: version.into(), offers: "0.2.0 and 0.1.0".into() });
    }
}

#[test]
fn an_import_beyond_the_world_is_refused_by_name() {
    let shell = ("  import log;\n", "  import log;\n  import shell: interface { run: func(); }\n");
    let wit = changed_wit("shell", &[shell]);
    let text = module(r#"(import "shell" "run" (func))"#, "");
    assert_eq!(sandbox().load(&component_for(&wit, &text)).unwrap_err(), Error::Import("shell".into()));

    for wasi in ["wasi:http/outgoing-handler@0.2.0", "wasi:cli/environment@0.3.0", "wasi:nn/graph@0.2.0"] {
        let text = format!(r#"(component (import "{wasi}" (instance)))"#);
        let error = sandbox().load(&wat::parse_str(text).unwrap()).unwrap_err();
        assert_eq!(error, Error::Import(wasi.into()));
    }
}

#[test]
fn a_known_interface_with_another_function_is_refused() {
    let wit = changed_wit("now", &[("now: func() -> timestamp;", "now: func() -> timestamp; sleep: func();")]);
    let text = module(r#"(import "tidegate:bot/clock@0.2.0" "sleep" (func))"#, "");
    let error = sandbox().load(&component_for(&wit, &text)).unwrap_err();
    assert!(matches!(&error, Error::World(why) if why.contains("sleep")), "{error}");
}

#[test]
fn another_world_is_refused_by_what_it_lacks() {
    let configure = "export configure: func(settings: string) -> result<_, string>;";
    let wit = changed_wit("no-configure", &[(configure, "")]);
    let text = module("", "").replace("\"configure\"", "\"unrelated\"");
    // Not even wit-component takes an export that is not in the world, so it is made nameless.
    let text = text.replace("(func (export \"unrelated\")", "(func");
    let error = sandbox().load(&component_for(&wit, &text)).unwrap_err();
    assert!(matches!(&error, Error::World(why) if why.contains("`configure`")), "{error}");

    let wit =
        changed_wit("other-type", &[(configure, "export configure: func(settings: list<u8>) -> result<_, string>;")]);
    let error = sandbox().load(&component_for(&wit, &module("", ""))).unwrap_err();
    assert!(matches!(&error, Error::World(why) if why.contains("another type")), "{error}");
}

#[test]
fn a_component_of_more_parts_than_the_pool_has_room_for_is_refused() {
    let parts = "(core instance (instantiate $m))".repeat(25);
    let text = format!("(component (core module $m (memory 1)) {parts})");
    let error = sandbox().load(&wat::parse_str(text).unwrap()).unwrap_err();
    assert!(matches!(&error, Error::Invalid(why) if why.contains("25 core module instances")), "{error}");
}

#[test]
fn the_first_party_plugins_are_accepted_whole_and_refused_cut() {
    for name in ["replicate", "prune"] {
        let bytes = built(name);
        assert!(sandbox().load(&bytes).is_ok(), "{name}");
        for part in 1..8 {
            assert!(sandbox().load(&bytes[..bytes.len() * part / 8]).is_err(), "{name}, {part} eighths of it");
        }
    }
}

const SAYS: &str = r#"{"manifest":1,"name":"gate","version":"1.0.0","worlds":["tidegate:bot/policy@0.2.0"]"#;

#[test]
fn what_a_component_can_do_is_read_from_its_imports_function_by_function() {
    let log = r#"(import "tidegate:bot/log@0.2.0" "line" (func (param i32 i32 i32)))"#;
    let used = |top: &str| sandbox().load(&guest(top, "")).unwrap().about().used.clone();
    assert_eq!(used(""), [].into());
    assert_eq!(used(log), [].into());
    // Of `checkpoints` it calls nothing but `prune`.
    assert_eq!(used(PRUNE), [Want::Prune].into());
    let imports = |top: &str| sandbox().load(&guest(top, "")).unwrap().about().imports.clone();
    let named = |interface: &str, function: &str| (interface.to_owned(), BTreeSet::from([function.to_owned()]));
    assert_eq!(imports(""), [].into());
    let (line, prune) = (named("tidegate:bot/log@0.2.0", "line"), named("tidegate:bot/checkpoints@0.2.0", "prune"));
    assert_eq!(imports(&format!("{log}{PRUNE}")), [line, prune].into(), "and not `types`, which has no functions");
    for (name, wants) in [("replicate", &[Want::Read, Want::Replicate][..]), ("prune", &[Want::Read, Want::Prune])] {
        let about = sandbox().load(&built(name)).unwrap().about().clone();
        assert_eq!(about.used, wants.iter().copied().collect(), "{name}");
        let manifest = about.manifest.unwrap();
        assert_eq!(manifest.name.as_str(), name);
        assert_eq!(manifest.wants.keys().copied().collect::<Vec<_>>(), wants, "{name}");
        let schema = manifest.settings.unwrap();
        let told = schema["properties"].as_object().unwrap().values().all(|it| it["description"].is_string());
        assert!(told && schema["additionalProperties"] == false, "{name}: {schema}");
    }
}

#[test]
fn a_component_that_uses_more_than_it_declares_is_refused_with_the_difference() {
    let declares = |wants: &str| with_manifest(guest(PRUNE, ""), &format!(r#"{SAYS},"wants":{{{wants}}}}}"#));
    let error = sandbox().load(&declares(r#""read":{"why":"to look"}"#)).unwrap_err();
    assert_eq!(error, Error::Undeclared(vec![Want::Prune]));
    assert!(error.to_string().contains("`prune`"), "{error}");
    // What is declared and not used does no harm.
    let both = sandbox().load(&declares(r#""read":{"why":"to look"},"prune":{"why":"to tidy","optional":true}"#));
    let about = both.unwrap().about().clone();
    assert!(about.manifest.unwrap().wants[&Want::Prune].optional);
    assert_eq!(sandbox().load(&guest(PRUNE, "")).unwrap().about().manifest, None, "one may say nothing");
}

#[test]
fn a_manifest_that_is_none_or_there_twice_is_refused() {
    let load = |text: &str| sandbox().load(&with_manifest(guest("", ""), text)).unwrap_err();
    for (text, said) in [("", "EOF"), ("{}", "manifest"), ("\u{0}", "expected"), (&format!("{SAYS},\"x\":1}}"), "x")] {
        let error = load(text);
        assert!(matches!(&error, Error::Manifest(bad) if bad.0.contains(said)), "{text:?}: {error}");
    }
    let good = format!("{SAYS}}}");
    let twice = with_manifest(with_manifest(guest("", ""), &good), &good);
    assert!(sandbox().load(&twice).unwrap_err().to_string().contains("twice"));
}

#[test]
fn what_is_said_of_a_component_is_short_and_has_none_of_its_control_characters() {
    let renamed = |from: &str, to: &str| {
        let mut component = guest(PRUNE, "");
        let places: Vec<usize> =
            (0..component.len() - from.len()).filter(|at| component[*at..].starts_with(from.as_bytes())).collect();
        places.iter().for_each(|at| component[*at..at + to.len()].copy_from_slice(to.as_bytes()));
        assert!(!places.is_empty());
        component
    };
    let field = format!("{SAYS},\"\u{7f}\u{9b}2J{}\":1}}", "x".repeat(100_000));
    for component in [
        renamed("bot/checkpoints@0", "bot/\u{1b}[2Jpoints@0"),
        renamed("@0.2.0", "@0.\u{1b}.0"),
        renamed("tidegate:bot", "tide\u{7}ate:bot"),
        with_manifest(guest("", ""), &field),
    ] {
        let said = sandbox().load(&component).unwrap_err().to_string();
        assert!(!said.contains(|c: char| c.is_control() && c != '\n') && said.len() < 4096, "{said:?}");
    }
}
