//! Whether a component is one of ours: exactly the world `tidegate:bot/policy`, in exactly this version.
//!
//! wasmtime's linker takes any version that semver calls compatible, and a component that imports nothing but exports
//! less. Both would fail later and less clearly, so the names are compared here.

use std::collections::BTreeSet;

use tidegate_core::Want;
use wasmtime::component::{Component, types::ComponentItem};

use crate::{Error, bindings::tidegate::bot::types::Event};

/// The version of the package `tidegate:bot` that this host offers.
pub const VERSION: &str = "0.1.0";

const PACKAGE: &str = "tidegate:bot/";
const INTERFACES: [&str; 8] = ["types", "checkpoints", "replication", "state", "schedule", "clock", "random", "log"];

/// The worlds that a manifest names.
pub(crate) fn check_worlds(named: &[String]) -> Result<(), Error> {
    let ours = format!("{PACKAGE}policy@{VERSION}");
    if named.contains(&ours) {
        return Ok(());
    }
    Err(Error::World(format!("its manifest names {}, and this host has {ours}", named.join(", "))))
}

/// The preamble of a component, and of a core module: `\0asm`, version, layer.
const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";
const MODULE: [u8; 8] = *b"\0asm\x01\0\0\0";

/// Size and preamble.
pub(crate) fn check_header(bytes: &[u8], max: usize) -> Result<(), Error> {
    if bytes.len() > max {
        return Err(Error::TooLarge { bytes: bytes.len(), max });
    }
    match bytes.get(..8) {
        Some(head) if head == COMPONENT => Ok(()),
        Some(head) if head == MODULE => Err(Error::Module),
        Some(head) if head.starts_with(b"\0asm") => {
            Err(Error::Invalid("a version of WebAssembly not known here".into()))
        }
        None if b"\0asm".starts_with(bytes) || bytes.starts_with(b"\0asm") => {
            Err(Error::Invalid(format!("it ends after {} bytes", bytes.len())))
        }
        _ => Err(Error::NotWasm),
    }
}

/// Imports and exports. Returns what the imports can do.
pub(crate) fn check(component: &Component) -> Result<BTreeSet<Want>, Error> {
    let (engine, ty) = (component.engine(), component.component_type());
    let mut used = BTreeSet::new();
    for (name, import) in ty.imports(engine) {
        let interface = check_import(name)?;
        // Only the functions that the component calls are among its imports.
        if let ComponentItem::ComponentInstance(functions) = import.ty {
            used.extend(functions.exports(engine).filter_map(|(function, _)| Want::of(interface, function)));
        }
    }
    let exported = |name: &str| match ty.get_export(engine, name).map(|export| export.ty) {
        Some(ComponentItem::ComponentFunc(func)) => Ok(func),
        _ => Err(Error::World(format!("it does not export the function `{name}`"))),
    };
    let of_type = |name: &str, checked: wasmtime::Result<()>| {
        checked.map_err(|error| Error::World(format!("its export `{name}` has another type: {error:#}")))
    };
    let scope = ty.instance_type();
    let (configure, handle) = (exported("configure")?, exported("handle")?);
    of_type("configure", configure.typecheck::<(&str,), (Result<(), String>,)>(&scope))?;
    of_type("handle", handle.typecheck::<(&Event, &str), (Result<(), String>,)>(&scope))?;
    Ok(used)
}

fn check_import(name: &str) -> Result<&str, Error> {
    let Some((interface, version)) = name.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@')) else {
        return Err(Error::Import(name.to_owned()));
    };
    if version != VERSION {
        return Err(Error::Version { wants: version.to_owned(), offers: VERSION });
    }
    if INTERFACES.contains(&interface) { Ok(interface) } else { Err(Error::Import(name.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_contract() {
        let contract = include_str!("../../../wit/policy.wit");
        assert!(contract.starts_with(&format!("package tidegate:bot@{VERSION};")));
        for interface in INTERFACES {
            assert!(contract.contains(&format!("  import {interface};")), "{interface}");
        }
    }

    #[test]
    fn imports_match_by_name_and_exact_version() {
        assert_eq!(check_import("tidegate:bot/log@0.1.0"), Ok("log"));
        for near in ["tidegate:bot/log@0.1.1", "tidegate:bot/log@0.2.0", "tidegate:bot/log@0.1.0-rc.1"] {
            assert!(matches!(check_import(near), Err(Error::Version { .. })), "{near}");
        }
        for strange in ["wasi:cli/environment@0.2.0", "tidegate:bot/log", "tidegate:bot/shell@0.1.0", "log", ""] {
            assert_eq!(check_import(strange), Err(Error::Import(strange.into())));
        }
    }

    #[test]
    fn the_preamble_tells_what_it_is() {
        assert_eq!(check_header(&COMPONENT, 8), Ok(()));
        assert_eq!(check_header(&COMPONENT, 7), Err(Error::TooLarge { bytes: 8, max: 7 }));
        assert_eq!(check_header(&MODULE, 8), Err(Error::Module));
        assert_eq!(check_header(b"ELF: not ours", 99), Err(Error::NotWasm));
        assert_eq!(check_header(b"PK", 99), Err(Error::NotWasm));
        assert!(matches!(check_header(b"\0as", 99), Err(Error::Invalid(_))));
        assert!(matches!(check_header(b"\0asm\x0d", 99), Err(Error::Invalid(_))));
    }
}
