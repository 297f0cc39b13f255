//! A file's path below its shard.

use std::{fmt, path::Path, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{limits, quoted};

/// A relative path of plain components: no `..`, no `.`, no root, no control characters; the same on every tier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RelPath(String);

/// Why a path was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("file name {shown} is not accepted: {rule}")]
pub struct InvalidPath {
    /// The path, cut to 80 characters.
    pub shown: String,
    /// The rule.
    pub rule: &'static str,
}

fn broken_rule(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        return Some("it is empty");
    }
    if path.len() > limits::PATH_BYTES {
        return Some("it is longer than 1024 bytes");
    }
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return Some("it has a control character or a backslash");
    }
    if path.split('/').count() > limits::PATH_DEPTH {
        return Some("it is more than 32 directories deep");
    }
    for component in path.split('/') {
        if component.is_empty() || component == "." || component == ".." {
            return Some("it must be a plain relative path without empty parts, . or ..");
        }
        if component.len() > limits::PATH_COMPONENT_BYTES {
            return Some("a part of it is longer than 255 bytes");
        }
    }
    None
}

impl RelPath {
    /// The path as text, parts separated by `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path for the file system; join it to a directory.
    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl TryFrom<String> for RelPath {
    type Error = InvalidPath;
    fn try_from(path: String) -> Result<Self, InvalidPath> {
        match broken_rule(&path) {
            Some(rule) => Err(InvalidPath { shown: quoted(&path).to_string(), rule }),
            None => Ok(Self(path)),
        }
    }
}

impl FromStr for RelPath {
    type Err = InvalidPath;
    fn from_str(path: &str) -> Result<Self, InvalidPath> {
        Self::try_from(path.to_owned())
    }
}

impl From<RelPath> for String {
    fn from(path: RelPath) -> String {
        path.0
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tricks_are_refused() {
        let deep = vec!["d"; 40].join("/");
        let long = "n".repeat(300);
        for bad in ["", "/etc/passwd", "../x", "a/../b", "a//b", "./a", "a/", "a\\b", "a\nb", "a\0b", &deep, &long] {
            assert!(bad.parse::<RelPath>().is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn an_accepted_path_stays_below_its_directory(path in "[a-z./\\\\]{0,24}") {
            if let Ok(path) = path.parse::<RelPath>() {
                let joined = Path::new("/tier/shard").join(path.as_path());
                prop_assert!(joined.starts_with("/tier/shard"));
                prop_assert!(joined.components().all(|c| !matches!(c, std::path::Component::ParentDir)));
            }
        }
    }
}
