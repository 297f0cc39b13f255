//! The attribute of `tidegate-sdk`, which exports it as `tidegate_sdk::settings` and documents it there.
//!
//! It parses nothing: it puts derives in front of a type. So it needs none of the crates that proc macros are written with.

use proc_macro::TokenStream;

/// What stands in front of a type after the attribute.
///
/// The schema, and the writing that its defaults are taken from, are made natively only: a component needs neither, and
/// must not even compile what makes them. There the attribute `schemars` is known and means nothing.
const DERIVES: &str = r#"
#[derive(::tidegate_sdk::__private::serde::Deserialize)]
#[serde(crate = "::tidegate_sdk::__private::serde")]
#[cfg_attr(target_arch = "wasm32", derive(::tidegate_sdk::__private::NoSchema))]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(::tidegate_sdk::__private::serde::Serialize, ::tidegate_sdk::__private::schemars::JsonSchema),
    schemars(crate = "::tidegate_sdk::__private::schemars")
)]
"#;

/// See `tidegate_sdk::settings`.
#[proc_macro_attribute]
pub fn settings(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let front = if arguments.is_empty() {
        DERIVES
    } else {
        "::core::compile_error!(\"`#[settings]` takes no arguments: use `#[serde(...)]` and `#[schemars(...)]`\");"
    };
    // Both texts are written here and are Rust.
    let mut made: TokenStream = front.parse().unwrap_or_default();
    made.extend(item);
    made
}

/// Knows the attribute `schemars` and makes nothing of it.
#[doc(hidden)]
#[proc_macro_derive(NoSchema, attributes(schemars))]
pub fn no_schema(_: TokenStream) -> TokenStream {
    TokenStream::new()
}
