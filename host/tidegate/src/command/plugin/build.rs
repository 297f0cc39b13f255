use std::path::{Path, PathBuf};

use serde_json::json;

use super::inspect;
use crate::{command::input, exit::Failure, show::Out};

/// Build a plugin: its crate becomes target/plugins/NAME.wasm
///
/// A compiler for WebAssembly is found or fetched: the active toolchain's target, `rustup target add`, or a private
/// toolchain from Debian's packages.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The crate's directory
    #[arg(default_value = ".")]
    crate_dir: PathBuf,
}

pub(crate) fn run(args: Args, out: Out) -> Result<(), Failure> {
    let dir = input::directory(&args.crate_dir)?;
    let package = tidegate_build::package_in(&dir).map_err(anyhow::Error::from)?;
    let cache = tidegate_build::cache_dir().map_err(anyhow::Error::from)?;
    let say: &mut dyn FnMut(&str) = &mut |line| eprintln!("{line}");
    let toolchain = tidegate_build::find_toolchain(&cache, say).map_err(anyhow::Error::from)?;
    let to = dir.join("target/plugins");
    let made = tidegate_build::build_plugins_with(&toolchain, &dir, &[&package], &to, say);
    let made = made.map_err(anyhow::Error::from)?;
    let file = made.first().map_or(Path::new(""), PathBuf::as_path);
    let about = inspect::look(file)?;
    out.value(&json!({ "file": file, "plugin": about }), || format!("{}\n{}", file.display(), inspect::text(&about)))
}
