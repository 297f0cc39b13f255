//! The bot's own memory between events: a small key-value space, committed with the handler's effects or not at all.

use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, Refusal, host::state as host};

/// The bytes of a key, if it is set. Sees the handler's own writes.
///
/// # Errors
/// The host's refusal, as for all functions here.
///
/// ```
/// use tidegate_sdk::{state, testing::Cluster};
/// let cluster = Cluster::new();
/// cluster.set_state("seen", b"7");
/// assert_eq!(state::get("seen").unwrap().unwrap(), b"7");
/// assert_eq!(state::get("unseen").unwrap(), None);
/// ```
pub fn get(key: &str) -> Result<Option<Vec<u8>>, Refusal> {
    host::get(key)
}

/// Sets a key of 1 to 256 bytes to at most 65536 bytes.
///
/// # Errors
/// `over-quota` when the bot's state is full.
///
/// ```
/// use tidegate_sdk::{state, testing::Cluster};
/// let cluster = Cluster::new();
/// state::set("seen", b"7").unwrap();
/// assert_eq!(cluster.state()["seen"], b"7");
/// assert_eq!(state::set("seen", &[0; 65_537]).unwrap_err().class(), "invalid");
/// ```
pub fn set(key: &str, value: &[u8]) -> Result<(), Refusal> {
    host::set(key, value)
}

/// Removes a key that may be absent.
///
/// # Errors
/// The host's refusal.
///
/// ```
/// use tidegate_sdk::{state, testing::Cluster};
/// let cluster = Cluster::new();
/// cluster.set_state("seen", b"7");
/// state::delete("seen").unwrap();
/// state::delete("seen").unwrap();
/// assert!(cluster.state().is_empty());
/// ```
pub fn delete(key: &str) -> Result<(), Refusal> {
    host::delete(key)
}

/// Keys that start with `prefix`, in order, after `after`; at most 256 a call.
///
/// # Errors
/// The host's refusal.
///
/// ```
/// use tidegate_sdk::{state, testing::Cluster};
/// let cluster = Cluster::new();
/// ["run/a", "run/b", "seen"].map(|key| cluster.set_state(key, b"1"));
/// assert_eq!(state::keys("run/", None).unwrap(), ["run/a", "run/b"]);
/// assert_eq!(state::keys("run/", Some("run/a")).unwrap(), ["run/b"]);
/// ```
pub fn keys(prefix: &str, after: Option<&str>) -> Result<Vec<String>, Refusal> {
    host::keys(prefix, after)
}

/// The value of a key, read from JSON.
///
/// # Errors
/// A refusal, or a value of another form, such as one that an older version of the bot wrote.
///
/// ```
/// use tidegate_sdk::{state, testing::Cluster};
/// let cluster = Cluster::new();
/// assert_eq!(state::load::<u64>("seen").unwrap(), None);
/// cluster.set_state("seen", b"7");
/// assert_eq!(state::load("seen").unwrap(), Some(7_u64));
/// assert!(state::load::<String>("seen").is_err());
/// ```
pub fn load<T: DeserializeOwned>(key: &str) -> Result<Option<T>, Error> {
    match get(key)? {
        Some(bytes) => {
            let value = serde_json::from_slice(&bytes);
            value.map(Some).map_err(|error| Error::new(format_args!("state key {key:?}: {error}")))
        }
        None => Ok(None),
    }
}

/// Sets a key to a value, as JSON.
///
/// # Errors
/// A refusal, or a value that has no JSON form.
///
/// ```
/// use tidegate_sdk::{state, testing::Cluster};
/// let cluster = Cluster::new();
/// state::save("last", &("gpt", 100)).unwrap();
/// assert_eq!(cluster.state()["last"], br#"["gpt",100]"#);
/// ```
pub fn save<T: Serialize>(key: &str, value: &T) -> Result<(), Error> {
    Ok(set(key, &serde_json::to_vec(value)?)?)
}
