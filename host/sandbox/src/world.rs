//! Whether a component is one of ours: exactly the world `tidegate:bot/policy`, in exactly a version that is known here.
//!
//! wasmtime's linker takes any version that semver calls compatible, and a component that imports nothing but exports
//! less. Both would fail later and less clearly, so the names are compared here.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_core::Want;
use wasmtime::component::{Component, types::ComponentItem};

use crate::{
    Error,
    bindings::{tidegate::bot::types::Event, v0_1::tidegate::bot::types::Event as OldEvent},
    worlds::World,
};

/// The version of the package `tidegate:bot` that the SDK of this host is for.
pub const VERSION: &str = "0.2.0";
/// The versions that this host runs, newest first.
pub const VERSIONS: [&str; 2] = [VERSION, "0.1.0"];

const PACKAGE: &str = "tidegate:bot/";
const INTERFACES: [&str; 9] =
    ["types", "checkpoints", "replication", "state", "schedule", "clock", "random", "log", "metrics"];

impl World {
    fn of(version: &str) -> Option<Self> {
        match version {
            VERSION => Some(Self::Now),
            "0.1.0" => Some(Self::V0_1),
            _ => None,
        }
    }

    fn version(self) -> &'static str {
        match self {
            Self::Now => VERSION,
            Self::V0_1 => "0.1.0",
        }
    }

    /// Its full name.
    pub(crate) fn name(self) -> String {
        format!("{PACKAGE}policy@{}", self.version())
    }

    fn has(self, interface: &str) -> bool {
        INTERFACES.contains(&interface) && (self == Self::Now || interface != "metrics")
    }
}

/// Whether a manifest names the world that its component is of.
pub(crate) fn check_worlds(named: &[String], world: World) -> Result<(), Error> {
    let is = world.name();
    if named.contains(&is) { Ok(()) } else { Err(Error::Worlds { says: named.join(", "), is }) }
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

/// What a component is, by its imports and exports.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) world: World,
    /// The functions that it imports, by the full names of their interfaces.
    pub(crate) imports: BTreeMap<String, BTreeSet<String>>,
    /// What the imports can do.
    pub(crate) used: BTreeSet<Want>,
    pub(crate) migrates: bool,
}

/// Imports and exports.
pub(crate) fn check(component: &Component) -> Result<Checked, Error> {
    let (engine, ty) = (component.engine(), component.component_type());
    let (mut used, mut imports, mut world) = (BTreeSet::new(), BTreeMap::new(), None);
    for (name, import) in ty.imports(engine) {
        // Only the functions that the component calls are among its imports, with the types that they speak of.
        let functions: BTreeSet<String> = match import.ty {
            ComponentItem::ComponentInstance(it) => {
                let exports = it.exports(engine);
                let functions = exports.filter(|(_, it)| matches!(it.ty, ComponentItem::ComponentFunc(_)));
                functions.map(|(function, _)| function.to_owned()).collect()
            }
            _ => BTreeSet::new(),
        };
        if in_the_room(name) {
            imports.insert(name.to_owned(), functions);
            used.insert(Want::Wasi);
            continue;
        }
        let (interface, of) = check_import(name)?;
        if *world.get_or_insert(of) != of {
            return Err(Error::World("it imports the contract in two versions".into()));
        }
        used.extend(functions.iter().filter_map(|function| Want::of(interface, function)));
        imports.insert(name.to_owned(), functions);
    }
    imports.retain(|_, functions| !functions.is_empty());
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
    let now = handle.typecheck::<(&Event, &str), (Result<(), String>,)>(&scope);
    // One that imports nothing is told apart by the events that it takes; where they are the same it is of today's.
    let world = world.unwrap_or_else(|| match &now {
        Err(_) if handle.typecheck::<(&OldEvent, &str), (Result<(), String>,)>(&scope).is_ok() => World::V0_1,
        _ => World::Now,
    });
    match world {
        World::Now => of_type("handle", now)?,
        World::V0_1 => of_type("handle", handle.typecheck::<(&OldEvent, &str), (Result<(), String>,)>(&scope))?,
    }
    let migrates = world == World::Now && ty.get_export(engine, "migrate").is_some();
    if migrates {
        let migrate = exported("migrate")?;
        of_type("migrate", migrate.typecheck::<(&str, &str), (Result<(), String>,)>(&scope))?;
    }
    Ok(Checked { world, imports, used, migrates })
}

/// Whether an import is of WASI 0.2, as far as a closed room has it.
fn in_the_room(name: &str) -> bool {
    let Some((package, rest)) = name.strip_prefix("wasi:").and_then(|rest| rest.split_once('/')) else { return false };
    let known = matches!(package, "cli" | "clocks" | "filesystem" | "io" | "random" | "sockets");
    known && rest.split_once('@').is_some_and(|(_, version)| version.starts_with("0.2."))
}

fn check_import(name: &str) -> Result<(&str, World), Error> {
    let Some((interface, version)) = name.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@')) else {
        return Err(Error::Import(name.to_owned()));
    };
    let world = World::of(version)
        .ok_or_else(|| Error::Version { wants: version.to_owned(), offers: VERSIONS.join(" and ") })?;
    if world.has(interface) { Ok((interface, world)) } else { Err(Error::Import(name.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_contract() {
        let contracts = [include_str!("../../../wit/policy.wit"), include_str!("../../../wit/v0.1/policy.wit")];
        for (contract, version) in contracts.into_iter().zip(VERSIONS) {
            assert!(contract.starts_with(&format!("package tidegate:bot@{version};")));
            let world = World::of(version).unwrap();
            for interface in INTERFACES {
                let has = contract.contains(&format!("  import {interface};"));
                assert_eq!(has, world.has(interface), "{version} {interface}");
            }
        }
    }

    #[test]
    fn imports_match_by_name_and_exact_version() {
        assert_eq!(check_import("tidegate:bot/log@0.2.0"), Ok(("log", World::Now)));
        assert_eq!(check_import("tidegate:bot/log@0.1.0"), Ok(("log", World::V0_1)));
        for near in ["tidegate:bot/log@0.1.1", "tidegate:bot/log@0.3.0", "tidegate:bot/log@0.2.0-rc.1"] {
            assert!(matches!(check_import(near), Err(Error::Version { .. })), "{near}");
        }
        for strange in [
            "wasi:http/outgoing-handler@0.2.0",
            "tidegate:bot/log",
            "tidegate:bot/shell@0.1.0",
            "tidegate:bot/metrics@0.1.0",
            "log",
            "",
        ] {
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
