use std::{fs, path::PathBuf};

use anyhow::Context;
use serde_json::json;
use tidegate_core::{BotName, quoted};

use crate::{command::input, exit::Failure, show::Out};

/// Begin a plugin: a crate with a bot that works, its manifest and its tests
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its name, and that of the directory that is made: small letters, digits and -
    name: String,
    /// The SDK's directory; without it the published one is taken
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

const FILES: [(&str, &str); 3] = [
    ("Cargo.toml", include_str!("template/Cargo.toml.in")),
    ("src/lib.rs", include_str!("template/src/lib.rs.in")),
    (".gitignore", "/target\n"),
];

pub(crate) fn run(args: Args, out: Out) -> Result<(), Failure> {
    let Args { name, sdk } = args;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let good = name.parse::<BotName>().is_ok()
        && name.bytes().all(plain)
        && name.starts_with(|c: char| c.is_ascii_lowercase());
    if !good {
        return Err(Failure::Usage(format!(
            "{} is no name for a plugin: use small letters, digits and -, a letter first",
            quoted(&name)
        )));
    }
    let sdk = match sdk {
        None => "\"0.1\"".to_owned(),
        Some(dir) => {
            let dir = input::directory(&dir)?;
            if !dir.join("Cargo.toml").is_file() {
                return Err(Failure::Usage(format!("--sdk {} holds no crate", dir.display())));
            }
            format!("{{ path = {:?} }}", dir.display().to_string())
        }
    };
    let dir = PathBuf::from(&name);
    if dir.exists() {
        return Err(Failure::Usage(format!("{name} exists already")));
    }
    fs::create_dir_all(dir.join("src")).with_context(|| format!("can't make {name}"))?;
    for (file, text) in FILES {
        let text = text.replace("@name@", &name).replace("@type@", &type_of(&name)).replace("@sdk@", &sdk);
        let to = dir.join(file);
        fs::write(&to, text).with_context(|| format!("can't write {}", to.display()))?;
    }
    out.value(&json!({ "directory": name }), || {
        format!("{name}/ is a bot that works.\n  cd {name}\n  tidegate plugin test            its tests, natively\n  tidegate plugin build           target/plugins/{name}.wasm\n  tidegate plugin inspect FILE    what it is and what it wants\n")
    })
}

/// `best-of-week` is `BestOfWeek` in Rust.
fn type_of(name: &str) -> String {
    let words = name.split('-').filter_map(|word| word.split_at_checked(1));
    words.map(|(first, rest)| first.to_ascii_uppercase() + rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_type() {
        assert_eq!(type_of("best-of-week"), "BestOfWeek");
        assert_eq!(type_of("x--2"), "X2");
    }
}
