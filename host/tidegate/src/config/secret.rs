use std::fmt;

use serde::{Deserialize, Deserializer};

/// A value that is never printed. In the file it may be a text, a number or a truth value.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Bool(bool),
    Number(i64),
    Text(String),
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The error must not repeat what was found.
        let scalar = Scalar::deserialize(deserializer);
        let scalar = scalar.map_err(|_| serde::de::Error::custom("give a text, a whole number, true or false"))?;
        Ok(Self(match scalar {
            Scalar::Bool(value) => value.to_string(),
            Scalar::Number(value) => value.to_string(),
            Scalar::Text(value) => value,
        }))
    }
}
