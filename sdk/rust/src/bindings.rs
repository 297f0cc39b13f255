//! What `wit-bindgen` makes of `wit/`. Nothing here is written by hand.
#![allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, clippy::unwrap_used, reason = "generated code")]

wit_bindgen::generate!({
    path: "../../wit",
    world: "policy-with-migration",
    additional_derives: [PartialEq],
    pub_export_macro: true,
    export_macro_name: "__export_policy",
    runtime_path: "::wit_bindgen::rt",
});
