//! The domain stays pure: `tidegate-core` depends on nothing that runs, listens or stores.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::{step::Step, workspace};

const CORE: &str = "tidegate-core";
const FORBIDDEN: [&str; 4] = ["axum", "object_store", "tokio", "wasmtime"];

/// Fails with the forbidden packages among all that the core depends on.
pub(crate) fn check(step: &mut Step<'_>, root: &Path) -> Result<()> {
    let mut command = workspace::cargo(root);
    command.args(["tree", "--package", CORE, "--edges", "normal,build", "--prefix", "none", "--format", "{p}"]);
    let found = forbidden(&step.must(command)?);
    ensure!(found.is_empty(), "{CORE} depends on {}", found.join(", "));
    Ok(())
}

/// The forbidden names in the output of `cargo tree`, and those of their families (`tokio-util`).
fn forbidden(tree: &str) -> Vec<String> {
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    let of_a_family = |name: &str| {
        let name = name.replace('-', "_");
        FORBIDDEN.iter().any(|f| name.strip_prefix(f).is_some_and(|rest| rest.is_empty() || rest.starts_with('_')))
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
        assert_eq!(forbidden(tree), ["axum", "tokio-util"]);
        assert!(forbidden("tidegate-core v0.1.0\nserde v1.0.1\ntokiology v1.0.0\n").is_empty());
    }
}
