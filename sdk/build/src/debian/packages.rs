//! Which packages make the toolchain. Their names carry versions (`libllvm22`), so they are followed from dependency to
//! dependency; only the four that carry none are written here.

use std::collections::{BTreeSet, VecDeque};

use super::apt::Apt;
use crate::Error;

/// A package to download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    /// Bytes to download.
    pub(super) size: u64,
    /// The names that it depends on, the first of each choice.
    depends: Vec<String>,
}

impl Package {
    /// Reads the first stanza of what `apt-cache show` prints; none if it is empty.
    pub(super) fn parse(stanza: &str) -> Option<Self> {
        let first = stanza.split("\n\n").next()?;
        let field = |name: &str| {
            first.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(|v| v.trim().to_owned()))
        };
        Some(Self {
            name: field("Package")?,
            version: field("Version")?,
            size: field("Size").and_then(|s| s.parse().ok()).unwrap_or(0),
            depends: field("Depends").map(|d| first_choices(&d)).unwrap_or_default(),
        })
    }

    /// The dependency that begins with `prefix` and goes on with a digit.
    fn versioned(&self, prefix: &str) -> Option<&str> {
        self.depends.iter().map(String::as_str).find(|d| number_after(d, prefix).is_some())
    }
}

/// The packages of the toolchain, `rustc-web` first, and every library that they need and the system lacks.
pub(super) fn plan(apt: &Apt) -> Result<Vec<Package>, Error> {
    let get = |name: &str| -> Result<Package, Error> {
        let stanza = apt.show(name)?;
        Package::parse(&stanza).ok_or_else(|| Error::Debian(format!("apt's package lists know no {name}")))
    };
    let rustc = get("rustc-web")?;
    let dev = get("libstd-rust-web-dev")?;
    let source = get("rust-web-src")?;
    let tools = get("rust-web-llvm")?;
    let std = get(dev.versioned("libstd-rust-web-").ok_or_else(|| lacks(&dev, "libstd-rust-web-X.Y"))?)?;

    // The compiler's own library says which LLVM it was linked with; the links to the tools say it too.
    let llvm = std.versioned("libllvm").and_then(|d| number_after(d, "libllvm"));
    let llvm = llvm.or_else(|| tools.versioned("llvm-").and_then(|d| number_after(d, "llvm-")));
    let newest = || -> Result<Option<u32>, Error> {
        Ok(apt.names("lld-")?.iter().filter_map(|n| number_after(n, "lld-")).max())
    };
    let llvm = match llvm {
        Some(number) => number,
        None => newest()?.ok_or_else(|| lacks(&std, "libllvmNN"))?,
    };
    let libllvm = get(&format!("libllvm{llvm}"))?;
    let lld = get(&format!("lld-{llvm}"))?;

    let libraries = missing_libraries(apt, &[&std, &libllvm, &lld])?;
    Ok([rustc, std, dev, source, tools, libllvm, lld].into_iter().chain(libraries).collect())
}

/// What `roots` need, at any depth, that is neither installed nor one of them.
fn missing_libraries(apt: &Apt, roots: &[&Package]) -> Result<Vec<Package>, Error> {
    let mut seen: BTreeSet<String> = roots.iter().map(|p| p.name.clone()).collect();
    let mut queue: VecDeque<String> = roots.iter().flat_map(|p| p.depends.clone()).collect();
    let mut missing = Vec::new();
    while let Some(name) = queue.pop_front() {
        if !seen.insert(name.clone()) || apt.installed(&name)? {
            continue;
        }
        // A name that only others provide has no stanza; what provides it is installed or the toolchain's trial says so.
        if let Some(package) = Package::parse(&apt.show(&name)?) {
            queue.extend(package.depends.iter().cloned());
            missing.push(package);
        }
    }
    Ok(missing)
}

fn lacks(package: &Package, what: &str) -> Error {
    Error::Debian(format!("package {} {} depends on no {what}", package.name, package.version))
}

/// `a (>= 1) | b, c:any` gives `a` and `c`.
fn first_choices(depends: &str) -> Vec<String> {
    let name = |entry: &str| entry.split(['|', '(', ':', ' ']).next().map(str::to_owned);
    depends.split(',').map(str::trim).filter_map(name).filter(|n| !n.is_empty()).collect()
}

/// The number right behind `prefix`: `libllvm22` gives 22, `libstd-rust-web-1.96` gives 1, `libllvm-ocaml` nothing.
fn number_after(name: &str, prefix: &str) -> Option<u32> {
    let rest = name.strip_prefix(prefix)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANZA: &str = "Package: libstd-rust-web-1.96
Version: 1.96.0+dfsg1-1~deb12u2
Depends: libc6 (>= 2.34), libgcc-s1 (>= 4.2) | libgcc1, libllvm22, libstdc++6:any (>= 11)
Size: 31000000
Description: Rust standard libraries
 Depends: not this one

Package: an-older-one
";

    #[test]
    fn a_stanza_gives_what_the_plan_needs() {
        let package = Package::parse(STANZA).unwrap();
        assert_eq!(package.name, "libstd-rust-web-1.96");
        assert_eq!(package.size, 31_000_000);
        assert_eq!(package.depends, ["libc6", "libgcc-s1", "libllvm22", "libstdc++6"]);
        assert_eq!(package.versioned("libllvm"), Some("libllvm22"));
        assert_eq!(Package::parse(""), None);
    }

    #[test]
    fn versions_are_read_from_names() {
        assert_eq!(number_after("libllvm22", "libllvm"), Some(22));
        assert_eq!(number_after("libllvm22t64", "libllvm"), Some(22));
        assert_eq!(number_after("libllvm-ocaml", "libllvm"), None);
        assert_eq!(number_after("lld-22", "lld-"), Some(22));
    }
}
