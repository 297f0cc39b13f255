//! A core module becomes a component: encoded, validated, and held to what a plugin may import.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use wit_component::{ComponentEncoder, DecodedWasm, decode};

use tidegate_core::PluginManifest;

use crate::{Error, manifest::embed};

/// Changes when the same module would be encoded otherwise.
const ENCODER: &str = "wit-component 0.254";

/// Makes a component of a core module whose custom section holds its WIT world, and checks it.
///
/// # Errors
/// [`Error::NotAPlugin`] for anything that is not such a module; [`Error::ForeignImport`] for an import of WASI.
pub fn encode(name: &str, module: &[u8]) -> Result<Vec<u8>, Error> {
    let refuse = |reason: String| Error::NotAPlugin { name: name.to_owned(), reason };
    let encoder = ComponentEncoder::default().validate(true).module(module);
    let component = encoder.and_then(|mut e| e.encode()).map_err(|e| refuse(format!("{e:#}")))?;
    match imports(&component).map_err(refuse)?.into_iter().find(|i| i.starts_with("wasi:")) {
        Some(import) => Err(Error::ForeignImport { name: name.to_owned(), import }),
        None => Ok(component),
    }
}

/// The names that a component imports.
fn imports(component: &[u8]) -> Result<Vec<String>, String> {
    match decode(component).map_err(|e| format!("{e:#}"))? {
        DecodedWasm::WitPackage(..) => Err("it is a WIT package, not a component".to_owned()),
        DecodedWasm::Component(resolve, world) => match resolve.worlds.get(world) {
            Some(world) => Ok(world.imports.keys().map(|key| resolve.name_world_key(key)).collect()),
            None => Err("it has no world".to_owned()),
        },
    }
}

/// The prefix of a plugin's package, which its file does not bear.
const PREFIX: &str = "tidegate-plugin-";

/// A plugin's name, from its package's.
pub(crate) fn name_of(package: &str) -> &str {
    package.strip_prefix(PREFIX).unwrap_or(package)
}

/// Brings `<out_dir>/<name>.wasm` up to date with the module and what it says of itself, and returns its path.
///
/// A stamp beside the module holds the digests of what went in and what came out, so an unchanged plugin costs two
/// hashes, and a component that someone damaged or replaced is made again.
pub(crate) fn update(
    name: &str,
    module: &Path,
    says: Option<&PluginManifest>,
    out_dir: &Path,
) -> Result<PathBuf, Error> {
    let out = out_dir.join(format!("{name}.wasm"));
    let stamp = module.with_extension("wasm.component");
    let bytes = fs::read(module).map_err(Error::io("read", module))?;
    let describe = |component: &[u8]| {
        let says = says.and_then(|manifest| manifest.encode().ok()).unwrap_or_default();
        let [module, says, component] = [&bytes, &says, component].map(blake3::hash);
        format!("{ENCODER}\nmodule {module}\nmanifest {says}\ncomponent {component}\n")
    };
    if let (Ok(component), Ok(written)) = (fs::read(&out), fs::read_to_string(&stamp))
        && written == describe(&component)
    {
        return Ok(out);
    }
    let mut component = encode(name, &bytes)?;
    if let Some(manifest) = says {
        embed(&mut component, manifest)?;
    }
    write_atomic(&out, &component)?;
    write_atomic(&stamp, describe(&component).as_bytes())?;
    Ok(out)
}

/// Writes a file that is there whole or not at all. It is not synced: a build makes it again.
fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file =
        tempfile::Builder::new().prefix(".new-").tempfile_in(folder).map_err(Error::io("create in", folder))?;
    file.write_all(bytes).map_err(Error::io("write", path))?;
    // The owner-only mode of a temporary file would keep other users from reading what a build made.
    fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .map_err(Error::io("set the mode of", path))?;
    file.persist(path).map_err(|e| e.error).map_err(Error::io("write", path))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module with no code and no WIT section: the encoder makes an empty component of it.
    const EMPTY_MODULE: &[u8] = b"\0asm\x01\0\0\0";

    #[test]
    fn bytes_that_are_no_module_are_refused_by_name() {
        let error = encode("gate", b"#!/bin/sh").unwrap_err().to_string();
        assert!(error.starts_with("gate is not a Tidegate plugin"), "{error}");
    }

    /// A module whose world is `wit`, and which imports the function `f` of the interface `import`.
    fn module(wit: &str, world: &str, import: &str) -> Vec<u8> {
        let mut resolve = wit_parser::Resolve::default();
        let package = resolve.push_str("test.wit", wit).unwrap();
        let world = resolve.select_world(&[package], Some(world)).unwrap();
        // One type, `func()`, and one import of it: (module (type (func)) (import "<import>" "f" (func (type 0)))).
        let mut bytes = EMPTY_MODULE.to_vec();
        bytes.extend([1, 4, 1, 0x60, 0, 0, 2]);
        bytes.extend([u8::try_from(import.len()).unwrap() + 6, 1, u8::try_from(import.len()).unwrap()]);
        bytes.extend(import.as_bytes());
        bytes.extend([1, b'f', 0, 0]);
        let encoding = wit_component::StringEncoding::UTF8;
        wit_component::embed_component_metadata(&mut bytes, &resolve, world, encoding).unwrap();
        bytes
    }

    #[test]
    fn an_import_of_the_world_is_kept_and_one_of_wasi_is_refused() {
        let wit = |ns: &str| format!("package {ns}:demo; interface y {{ f: func(); }} world w {{ import y; }}");
        let component = encode("gate", &module(&wit("tidegate"), "w", "tidegate:demo/y")).unwrap();
        assert_eq!(imports(&component).unwrap(), ["tidegate:demo/y"]);
        let error = encode("gate", &module(&wit("wasi"), "w", "wasi:demo/y")).unwrap_err();
        assert!(matches!(&error, Error::ForeignImport { import, .. } if import == "wasi:demo/y"), "{error}");
    }

    #[test]
    fn a_plugin_is_named_like_its_package_without_the_prefix() {
        assert_eq!(name_of("tidegate-plugin-prune"), "prune");
        assert_eq!(name_of("my-policy"), "my-policy");
    }

    #[test]
    fn an_unchanged_module_is_not_encoded_again_and_a_damaged_component_is() {
        let dir = tempfile::tempdir().unwrap();
        let module = dir.path().join("m.wasm");
        fs::write(&module, EMPTY_MODULE).unwrap();
        let out = update("gate", &module, None, dir.path()).unwrap();
        let made = fs::metadata(&out).unwrap().modified().unwrap();
        let good = fs::read(&out).unwrap();

        update("gate", &module, None, dir.path()).unwrap();
        assert_eq!(fs::metadata(&out).unwrap().modified().unwrap(), made);

        fs::write(&out, b"damaged").unwrap();
        update("gate", &module, None, dir.path()).unwrap();
        assert_eq!(fs::read(&out).unwrap(), good);
    }
}
