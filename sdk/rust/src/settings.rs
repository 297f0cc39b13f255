//! What a type of settings has to be.

use serde::de::DeserializeOwned;

#[cfg(not(target_arch = "wasm32"))]
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a bot's settings",
    note = "put `#[tidegate_sdk::settings]` above it, in place of `#[derive(Deserialize)]`"
)]
/// What can be the settings of a bot: read from JSON, and described by a JSON Schema. [`settings`](macro@crate::settings)
/// makes a type both; nothing implements this by hand.
///
/// ```
/// fn a_bot_can_have<T: tidegate_sdk::Configurable>() {}
///
/// #[tidegate_sdk::settings]
/// struct Settings {
///     every: u64,
/// }
/// a_bot_can_have::<Settings>();
/// ```
///
/// What has no schema is refused by the compiler, with the attribute's name:
///
/// ```compile_fail
/// # fn a_bot_can_have<T: tidegate_sdk::Configurable>() {}
/// struct Bare;
/// a_bot_can_have::<Bare>();
/// ```
pub trait Configurable: DeserializeOwned + schemars::JsonSchema {}

#[cfg(not(target_arch = "wasm32"))]
impl<T: DeserializeOwned + schemars::JsonSchema> Configurable for T {}

/// What can be the settings of a bot: in a component they are only read.
#[cfg(target_arch = "wasm32")]
pub trait Configurable: DeserializeOwned {}

#[cfg(target_arch = "wasm32")]
impl<T: DeserializeOwned> Configurable for T {}
