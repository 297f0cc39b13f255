use axum::{extract::FromRequestParts, http::request::Parts};
use serde::de::DeserializeOwned;
use tidegate_core::told;

use super::Failure;

/// The query string. Types that are read from it deny unknown fields, so a misspelt parameter is an error.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        match axum::extract::Query::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(error) => Err(Failure::bad_request(told(&error.body_text()))),
        }
    }
}
