//! Errors as `application/problem+json` (RFC 9457). The only place where a domain error becomes HTTP.

use std::collections::BTreeMap;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use tidegate_api::Problem;
use tidegate_core::{Code, InvalidName};
use utoipa::{
    IntoResponses,
    openapi::{ContentBuilder, RefOr, Response as Documented, ResponseBuilder},
};

/// An error on its way to the client.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    problem: Box<Problem>,
}

/// A code and what happened this time, in the form that goes over the wire.
pub(crate) fn problem(code: Code, detail: String) -> Problem {
    Problem {
        kind: format!("/errors/{}", code.number()),
        title: code.title().to_owned(),
        status: code.status(),
        detail,
        code: code.number().to_owned(),
        hint: code.hint().to_owned(),
    }
}

impl Failure {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, problem: Box::new(problem(code, detail.into())) }
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(Code::BadRequest, detail)
    }

    /// The same problem under the status that HTTP has for this very case, such as 405 or 415.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self.problem.status = status.as_u16();
        self
    }

    pub(crate) fn into_problem(self) -> Problem {
        *self.problem
    }
}

impl From<tidegate_engine::Error> for Failure {
    fn from(error: tidegate_engine::Error) -> Self {
        Self::new(error.code, error.detail)
    }
}

impl From<InvalidName> for Failure {
    fn from(error: InvalidName) -> Self {
        Self::new(Code::BadName, error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Problem { code, detail, .. } = &*self.problem;
        if self.status.is_server_error() {
            tracing::warn!(%code, %detail, "request failed");
        } else {
            tracing::debug!(%code, %detail, "request refused");
        }
        let json = serde_json::to_vec(&self.problem).unwrap_or_default();
        let kind = HeaderValue::from_static("application/problem+json");
        (self.status, [(header::CONTENT_TYPE, kind)], json).into_response()
    }
}

/// For the OpenAPI document: whatever else an operation answers is a problem.
pub(crate) struct Problems;

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<Documented>> {
        let reference = utoipa::openapi::Ref::from_schema_name("Problem");
        let content = ContentBuilder::new().schema(Some(reference)).build();
        let response = ResponseBuilder::new()
            .description("An error; `code` says which, `hint` what to do")
            .content("application/problem+json", content)
            .build();
        BTreeMap::from([("default".to_owned(), response.into())])
    }
}
