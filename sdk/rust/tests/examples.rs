//! What authors can name has an example that runs: `cargo test --doc` runs them, and this test misses none.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Files whose items are generated, or named by macros only.
const HIDDEN: [&str; 1] = ["bindings.rs"];
/// Items that are public for macros only.
const FOR_MACROS: [&str; 5] = ["glue", "configure<B", "handle<B", "bot.rs: migrate<B", "write<B"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
}

/// The public functions, types, traits and macros of a source whose documents have no example. What is for components only
/// is shown by what stands for it natively.
fn without_example(source: &str) -> Vec<&str> {
    let (mut documents, mut component_only, mut within_attribute, mut found) =
        (String::new(), false, false, Vec::new());
    for line in source.lines().map(str::trim) {
        let item = ["pub fn ", "pub struct ", "pub enum ", "pub trait ", "macro_rules! "]
            .iter()
            .find_map(|start| line.strip_prefix(start));
        if let Some(item) = item.filter(|_| !component_only && !documents.contains("```")) {
            let name = item.split(['(', '{', ';', ':', '=', '>']).next().unwrap_or(item).trim();
            found.push(name);
        }
        component_only = line == "#[cfg(target_arch = \"wasm32\")]";
        // Attributes may stand between an item and its documents.
        if line.starts_with("///") {
            documents.push_str(line);
        } else if line.starts_with('#') || within_attribute {
            within_attribute = !line.ends_with(']');
        } else {
            documents.clear();
        }
    }
    found
}

#[test]
fn every_public_item_has_an_example() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let shown = files.iter().filter(|path| !HIDDEN.iter().any(|hidden| path.ends_with(hidden)));
    let missing: Vec<String> = shown
        .flat_map(|path| {
            let source = fs::read_to_string(path).unwrap();
            let names: Vec<String> = without_example(&source).into_iter().map(str::to_owned).collect();
            names.into_iter().map(|name| format!("{}: {name}", path.strip_prefix(&src).unwrap().display()))
        })
        .filter(|it| !FOR_MACROS.iter().any(|hidden| it.contains(hidden)))
        .collect();
    assert!(missing.is_empty(), "no example: {missing:#?}");
}

#[test]
fn an_item_without_one_is_found() {
    assert_eq!(without_example("/// Words.\npub fn bare() {}\n"), ["bare"]);
    assert!(without_example("/// ```\n/// good();\n/// ```\n#[must_use]\npub fn good() {}\n").is_empty());
    assert_eq!(without_example("/// ```\npub fn good() {}\n\npub struct Bad;"), ["Bad"]);
}
