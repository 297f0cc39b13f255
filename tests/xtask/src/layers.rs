//! The domain stays pure: `tidegate-core` depends on nothing that runs, listens or stores. And components stay small: what
//! describes a bot's settings is no part of them.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::{step::Step, workspace};

const CORE: &str = "tidegate-core";
const OUTSIDE_THE_CORE: [&str; 4] = ["axum", "object_store", "tokio", "wasmtime"];
const SDK: &str = "tidegate-sdk";
const OUTSIDE_A_COMPONENT: [&str; 1] = ["schemars"];

/// Fails with the forbidden packages among all that the core, and the SDK in a component, depend on.
pub(crate) fn check(step: &mut Step<'_>, root: &Path) -> Result<()> {
    let mut tree = |package: &str, edges: &str, more: &[&str]| {
        let mut command = workspace::cargo(root);
        command.args(["tree", "--package", package, "--edges", edges, "--prefix", "none", "--format", "{p}"]);
        command.args(more);
        step.must(command)
    };
    let found = forbidden(&tree(CORE, "normal,build", &[])?, &OUTSIDE_THE_CORE);
    ensure!(found.is_empty(), "{CORE} depends on {}", found.join(", "));
    let component = tree(SDK, "normal", &["--target", tidegate_build::TARGET])?;
    let found = forbidden(&component, &OUTSIDE_A_COMPONENT);
    ensure!(found.is_empty(), "{SDK} brings {} into every component", found.join(", "));
    Ok(())
}

/// The forbidden names in the output of `cargo tree`, and those of their families (`tokio-util`).
fn forbidden(tree: &str, names_and_families: &[&str]) -> Vec<String> {
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    let of_a_family = |name: &str| {
        let name = name.replace('-', "_");
        names_and_families
            .iter()
            .any(|f| name.strip_prefix(f).is_some_and(|rest| rest.is_empty() || rest.starts_with('_')))
    };
    let mut found: Vec<_> = names.filter(|name| of_a_family(name)).map(str::to_owned).collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forbidden_package_is_found_at_any_depth() {
        let tree =
            "tidegate-core v0.1.0 (/w/host/core)\nserde v1.0.1\ntokio-util v0.7.1\naxum v0.8.1\naxum v0.8.1 (*)\n";
        assert_eq!(forbidden(tree, &OUTSIDE_THE_CORE), ["axum", "tokio-util"]);
        assert!(forbidden("tidegate-core v0.1.0\nserde v1.0.1\ntokiology v1.0.0\n", &OUTSIDE_THE_CORE).is_empty());
        assert_eq!(
            forbidden("tidegate-sdk v0.1.0\nschemars_derive v1.2.3\n", &OUTSIDE_A_COMPONENT),
            ["schemars_derive"]
        );
    }
}
