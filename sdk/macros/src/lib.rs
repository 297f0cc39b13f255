//! The attribute of `tidegate-sdk`, which exports it as `tidegate_sdk::settings` and documents it there.
//!
//! It puts derives in front of a type and reads no more of it than its name. So it needs none of the crates that proc
//! macros are written with.

use proc_macro::{TokenStream, TokenTree};

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
    let own = plain_name(&item).map(|name| format!("impl ::tidegate_sdk::Configurable for {name} {{}}"));
    // Both texts are written here and are Rust.
    let mut made: TokenStream = front.parse().unwrap_or_default();
    made.extend(item);
    made.extend(own.and_then(|text| text.parse::<TokenStream>().ok()));
    made
}

/// The name of a type that has no parameters: one that has some stands within others' settings only.
fn plain_name(item: &TokenStream) -> Option<String> {
    let mut tokens = item.clone().into_iter();
    tokens
        .find(|it| matches!(it, TokenTree::Ident(word) if ["struct", "enum"].contains(&word.to_string().as_str())))?;
    let name = tokens.next()?.to_string();
    let plain = !matches!(tokens.next(), Some(TokenTree::Punct(mark)) if mark.as_char() == '<');
    plain.then_some(name)
}

/// Knows the attribute `schemars` and makes nothing of it.
#[doc(hidden)]
#[proc_macro_derive(NoSchema, attributes(schemars))]
pub fn no_schema(_: TokenStream) -> TokenStream {
    TokenStream::new()
}
