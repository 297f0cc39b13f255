//! Tiers in settings and in words.

use std::fmt;

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::Tier;

impl Tier {
    /// Its name, as `wit/types.wit` has it.
    ///
    /// ```
    /// use tidegate_sdk::Tier;
    /// assert_eq!((Tier::Nvme.name(), Tier::Object.to_string()), ("nvme", "object".to_owned()));
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::Nvme => "nvme",
            Self::Object => "object",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Tier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let tier = [Self::Nvme, Self::Object].into_iter().find(|tier| tier.name() == name);
        tier.ok_or_else(|| D::Error::custom(format_args!("no tier `{name}`: there are `nvme` and `object`")))
    }
}
