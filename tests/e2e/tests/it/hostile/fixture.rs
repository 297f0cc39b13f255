//! A hostile plugin: its bytes, what it is granted, and how it must end.
//!
//! A file of `tests/hostile` is the fields of a core module, or a whole component. Its first line tells its story; then may
//! come, each behind `;;`: `world:` (`policy`, `policy-with-migration` or `0.1`), `grants:` and `manifest:` as JSON, `ends:`,
//! and `check:` for numbers of the bot as REST shows it. One that may end by `ran longer` is played with the usual deadline,
//! all others with one that they never meet. Of a module only what is hostile is written down: memory, allocator, exports
//! and `$shard`, which is called when a shard was committed, are added where they are left out.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tidegate_tests_support::guest;

/// How it must end; `said` are texts of which the answer or the fault has one.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum End {
    /// The upload is refused.
    NotUploaded { code: String, said: Vec<String> },
    /// The installation is refused.
    NotInstalled { code: String, said: Vec<String> },
    /// It does not take over from the version that is installed.
    NotMigrated { code: String, said: Vec<String> },
    /// It is set aside before the event that it failed on.
    Quarantined { said: Vec<String> },
    /// It handles its events, and has got nothing by it.
    Runs,
}

pub(super) struct Fixture {
    pub(super) name: String,
    pub(super) component: Vec<u8>,
    pub(super) grants: Value,
    /// JSON, or what is none.
    pub(super) settings: String,
    pub(super) end: End,
    /// Such as `/ledger/log_lines <= 64`.
    pub(super) checks: Vec<String>,
}

impl Fixture {
    /// One that is granted nothing.
    pub(super) fn new(name: &str, component: Vec<u8>, end: End) -> Self {
        Self { name: name.into(), component, grants: json!({}), settings: "{}".into(), end, checks: Vec::new() }
    }
}

impl Fixture {
    /// Whether nothing but the deadline may end it.
    pub(super) fn is_about_time(&self) -> bool {
        matches!(&self.end, End::Quarantined { said } if said.iter().any(|it| it == "ran longer"))
    }
}

/// Every file of `tests/hostile`, in the order of their names.
pub(super) fn all() -> Vec<Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hostile");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| read(file)).collect()
}

fn read(file: &Path) -> Fixture {
    let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
    let text = fs::read_to_string(file).unwrap();
    let head: Vec<&str> = text.lines().map_while(|line| line.strip_prefix(";; ")).collect();
    let of = |key: &str| head.iter().filter_map(|line| line.strip_prefix(key)).map(str::to_owned).collect::<Vec<_>>();
    let one = |key: &str| of(key).pop();
    let json_of = |key: &str| one(key).map(|text| serde_json::from_str(&text).unwrap());
    assert!(head[0].contains(": ") && head[0].ends_with('.'), "{name}: the first line tells the story");
    let mut component = component(&text, one("world: ").as_deref().unwrap_or("policy"))
        .unwrap_or_else(|error| panic!("{name}: {error:#}"));
    if let Some(manifest) = json_of("manifest: ") {
        add_manifest(&mut component, manifest);
    }
    let end = end(&one("ends: ").unwrap_or_else(|| panic!("{name} does not say how it ends")));
    let grants = json_of("grants: ").unwrap_or_else(|| json!({}));
    Fixture { grants, checks: of("check: "), ..Fixture::new(&name, component, end) }
}

/// `KIND[: CODE], TEXT | TEXT`.
fn end(text: &str) -> End {
    let (kind, rest) = text.split_once(", ").unwrap_or((text, ""));
    let said = rest.split(" | ").map(str::to_owned).collect();
    match kind.split_once(": ").map_or((kind, String::new()), |(kind, code)| (kind, code.to_owned())) {
        ("not uploaded", code) => End::NotUploaded { code, said },
        ("not installed", code) => End::NotInstalled { code, said },
        ("not migrated", code) => End::NotMigrated { code, said },
        ("quarantined", _) => End::Quarantined { said },
        ("runs", _) => End::Runs,
        (other, _) => panic!("an end that there is not: {other}"),
    }
}

fn component(text: &str, world: &str) -> anyhow::Result<Vec<u8>> {
    if text.lines().any(|line| line.starts_with("(component")) {
        return Ok(wat::parse_str(text)?);
    }
    match world {
        "0.1" => guest::component_for(&guest::wit().join("v0.1"), &module(text)),
        world => guest::component_for_world(world, &module(text)),
    }
}

/// The module with what was left out. `$refused` traps unless the answer at `$ret` is a refusal of this case, `$accepted` if
/// it is a refusal.
fn module(fields: &str) -> String {
    let more = |has: &str, field: &str| if fields.contains(has) { String::new() } else { field.to_owned() };
    let cases = ["denied", "would_lose_data", "over_quota", "not_found", "unnecessary", "invalid", "unavailable"];
    let cases = cases.iter().enumerate().map(|(case, name)| format!("(global ${name} i32 (i32.const {case}))"));
    [
        format!("(module\n{fields}"),
        cases.collect(),
        "(func $accepted (param $ret i32) (if (i32.load8_u (local.get $ret)) (then unreachable)))
        (func $refused (param $ret i32) (param $case i32)
            (if (i32.ne (i32.load8_u (local.get $ret)) (i32.const 1)) (then unreachable))
            (if (i32.ne (i32.load8_u (i32.add (local.get $ret) (i32.const 4))) (local.get $case)) (then unreachable)))"
            .into(),
        more(r#"(memory (export "memory")"#, r#"(memory (export "memory") 16)"#),
        more(
            r#""cabi_realloc""#,
            r#"(global $heap (mut i32) (i32.const 524288))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (global.set $heap (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
                (if (i32.gt_u (i32.add (global.get $heap) (local.get 3)) (i32.const 1048576))
                    (then (global.set $heap (i32.const 524288))))
                global.get $heap
                (global.set $heap (i32.add (global.get $heap) (local.get 3))))"#,
        ),
        more(r#"(export "configure")"#, r#"(func (export "configure") (param i32 i32) (result i32) i32.const 16)"#),
        more("(func $shard", "(func $shard (param $run i32) (param $run_len i32) (param $step i64))"),
        more(
            r#"(export "handle")"#,
            r#"(func (export "handle")
                (param i64 i64 i32 i32) (param $what i32) (param $run i32) (param $run_len i32) (param $step i64)
                (param i32 i64 i64 i32 i32 i32 i32) (result i32)
                (if (i32.eq (local.get $what) (i32.const 1))
                    (then (call $shard (local.get $run) (local.get $run_len) (local.get $step))))
                i32.const 16)"#,
        ),
        ")".into(),
    ]
    .join("\n")
}

/// Appends a manifest, as what builds plugins does.
pub(super) fn add_manifest(component: &mut Vec<u8>, mut manifest: Value) {
    let rest = json!({ "manifest": 1, "version": "1.0.0", "worlds": ["tidegate:bot/policy@0.2.0"] });
    manifest.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    add_section(component, "tidegate:plugin", manifest.to_string().as_bytes());
}

/// Appends a custom section.
pub(super) fn add_section(component: &mut Vec<u8>, name: &str, data: &[u8]) {
    let mut section = leb(name.len());
    section.extend_from_slice(name.as_bytes());
    section.extend_from_slice(data);
    component.push(0);
    component.extend(leb(section.len()));
    component.extend(section);
}

/// A number as WebAssembly writes it.
pub(super) fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 128 {
        bytes.push((number & 127) as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}
