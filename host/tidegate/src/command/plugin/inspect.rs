use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use serde::Serialize;
use tidegate_core::{PluginManifest, Want, limits};
use tidegate_sandbox::{Compiler, Options, Sandbox};

use super::settings;
use crate::{
    command::{compile_worker, input},
    exit::Failure,
    show::{Out, bytes},
};

/// What a component is, what it uses and what it says of itself; nothing of it runs
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The component: a .wasm file
    file: PathBuf,
}

/// What can be told of a component.
#[derive(Debug, Serialize)]
pub(super) struct Inspected {
    digest: String,
    bytes: u64,
    /// The world that it was made for, by its imports and exports.
    pub(super) world: String,
    /// Whether it looks after its own state when it takes over from another version.
    migrates: bool,
    /// The functions that it imports, by interface.
    imports: BTreeMap<String, BTreeSet<String>>,
    /// What its imports can do.
    uses: Vec<Want>,
    manifest: Option<PluginManifest>,
}

pub(crate) fn run(args: Args, out: Out) -> Result<(), Failure> {
    let about = look(&args.file)?;
    out.value(&about, || text(&about))
}

/// Loads a component as a host would, so that what is refused here is refused there.
pub(super) fn look(file: &Path) -> Result<Inspected, Failure> {
    look_at(file, &input::file(file, limits::COMPONENT_BYTES)?)
}

/// As [`look`], of bytes that are meant for a file.
pub(super) fn look_at(file: &Path, component: &[u8]) -> Result<Inspected, Failure> {
    let compiler = Compiler::Worker(compile_worker::worker());
    let options = Options { instances: 1, compiler, ..Options::default() };
    let sandbox = Sandbox::new(options).map_err(anyhow::Error::from)?;
    let plugin = sandbox.load(component).map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?;
    let about = plugin.about();
    let uses = about.used.iter().copied().collect();
    Ok(Inspected {
        digest: about.digest.to_string(),
        bytes: component.len() as u64,
        world: about.world.clone(),
        migrates: about.migrates,
        imports: about.imports.clone(),
        uses,
        manifest: about.manifest.clone(),
    })
}

/// What it is, then what it says of itself.
pub(super) fn text(about: &Inspected) -> String {
    let Inspected { digest, bytes: size, world, migrates, imports, uses, manifest } = about;
    let mut text = match manifest {
        Some(it) => format!("{} {}\n{}\n", it.name, it.version, it.description),
        None => "it says nothing of itself: all that it uses must be granted. [package.metadata.tidegate] or `tidegate plugin \
                 describe` gives it a manifest\n"
            .to_owned(),
    };
    let state = if *migrates { ", migrates its state" } else { "" };
    text += &format!("digest   {digest}\nsize     {}\nworld    {world}{state}\n", bytes(*size));
    let functions = |(interface, functions): (&String, &BTreeSet<String>)| {
        format!("{interface}: {}", functions.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
    };
    let imports: Vec<String> = imports.iter().map(functions).collect();
    text += &format!("imports  {}\n", or_nothing(&imports, "\n         ", "nothing"));
    let uses: Vec<&str> = uses.iter().map(|want| want.name()).collect();
    text += &format!("uses     {}\n", or_nothing(&uses, ", ", "nothing that is granted"));
    let Some(manifest) = manifest else { return text };
    text += &format!("\nits manifest says:\nworlds   {}\n", manifest.worlds.join(", "));
    for (want, wanted) in &manifest.wants {
        let needs = if wanted.optional { "can use" } else { "needs" };
        text += &format!("{needs:8} {want}: {}\n", wanted.why);
        for need in wanted.needs() {
            text += &format!("{:8}   for {need}\n", "");
        }
    }
    if let Some(schema) = &manifest.settings {
        text += &format!("\n{}", settings::table(schema));
    }
    text
}

fn or_nothing<T: AsRef<str>>(items: &[T], between: &str, nothing: &str) -> String {
    if items.is_empty() { nothing.to_owned() } else { items.iter().map(T::as_ref).collect::<Vec<_>>().join(between) }
}
