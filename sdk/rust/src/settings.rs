//! What a type of settings has to be.

use serde::de::DeserializeOwned;

/// What can be the settings of a bot: read from JSON, and described by a JSON Schema. [`settings`](macro@crate::settings)
/// makes a type all of this; nothing implements it by hand.
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
/// #[derive(serde::Deserialize)]
/// struct Bare {}
/// a_bot_can_have::<Bare>();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the settings of a bot",
    note = "put `#[settings]` above it, in place of `#[derive(Deserialize)]`"
)]
pub trait Configurable: DeserializeOwned + Described {}

/// Has a schema: natively, where it is made.
#[cfg(not(target_arch = "wasm32"))]
use schemars::JsonSchema as Described;

/// In a component nothing has a schema, and nothing asks for one.
#[cfg(target_arch = "wasm32")]
use core::marker::Sized as Described;
