use std::path::{Path, PathBuf};

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
    /// The world that it was made for.
    world: String,
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
    let (bytes, manifest) = (component.len() as u64, about.manifest.clone());
    Ok(Inspected { digest: about.digest.to_string(), bytes, world: about.world.clone(), uses, manifest })
}

pub(super) fn text(about: &Inspected) -> String {
    let mut text = match &about.manifest {
        Some(it) => format!("{} {}\n{}\nworlds   {}\n", it.name, it.version, it.description, it.worlds.join(", ")),
        None => "it says nothing of itself: all that it uses must be granted. [package.metadata.tidegate] or `tidegate plugin \
                 describe` gives it a manifest\n"
            .to_owned(),
    };
    text += &format!("digest   {}\nsize     {}\n", about.digest, bytes(about.bytes));
    let uses: Vec<&str> = about.uses.iter().map(|want| want.name()).collect();
    text +=
        &format!("uses     {}\n", if uses.is_empty() { "nothing that is granted".to_owned() } else { uses.join(", ") });
    for (want, wanted) in about.manifest.iter().flat_map(|it| &it.wants) {
        let needs = if wanted.optional { "can use" } else { "needs" };
        text += &format!("{needs:8} {want}: {}\n", wanted.why);
        for need in wanted.needs() {
            text += &format!("{:8}   for {need}\n", "");
        }
    }
    if let Some(schema) = about.manifest.as_ref().and_then(|it| it.settings.as_ref()) {
        text += &format!("\n{}", settings::table(schema));
    }
    text
}
