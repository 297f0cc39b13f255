//! Builds Tidegate plugins: finds a compiler for WebAssembly, compiles the crates, makes components of them.
//!
//! A plugin is a Rust `cdylib` for `wasm32-unknown-unknown`. That target has no system interface at all, so what a
//! plugin can reach is exactly what its WIT world imports; [`build_plugins`] refuses one that imports anything of WASI.
//!
//! It is *not* a packager or a registry client: it turns a package of a workspace into `<name>.wasm` and stops there.
//!
//! ```no_run
//! # fn main() -> Result<(), tidegate_build::Error> {
//! use std::path::Path;
//! let cache = tidegate_build::cache_dir()?;
//! let toolchain = tidegate_build::find_toolchain(&cache, &mut |line| eprintln!("{line}"))?;
//! let components = tidegate_build::build_plugins(
//!     &toolchain,
//!     Path::new("."),
//!     &["tidegate-plugin-replicate"],
//!     Path::new("target/plugins"),
//! )?;
//! # Ok(()) }
//! ```

mod cache;
mod cargo;
mod component;
mod debian;
mod error;
mod manifest;
mod native;
mod plugins;
mod process;
mod rustup;
mod schema;
mod toolchain;

pub use cache::{cache_dir, lock};
pub use component::encode;
pub use error::Error;
pub use manifest::{embed, package_in};
pub use native::test_plugin;
pub use plugins::{build_plugins, build_plugins_with};
pub use toolchain::{TARGET, Toolchain, Way, find_toolchain, find_toolchain_by};

/// Where a step says what it is doing, one short line at a time, without a line end.
pub type Progress<'a> = &'a mut dyn FnMut(&str);
