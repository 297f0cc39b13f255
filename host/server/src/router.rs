//! All routes, and what is answered where there is none.

use axum::{
    Router,
    http::{Method, StatusCode, Uri, header},
    routing::get,
};
use bytes::Bytes;
use tidegate_core::{Code, quoted};
use utoipa::{OpenApi, openapi::OpenApi as Document};
use utoipa_axum::router::OpenApiRouter;

use crate::{app::App, http::Failure, openapi::About, resource};

/// The documented routes, with the document.
pub(crate) fn routes() -> (Router<App>, Document) {
    OpenApiRouter::with_openapi(About::openapi()).merge(resource::all()).split_for_parts()
}

/// The whole service over one host.
pub(crate) fn service(app: App) -> Router {
    let document = Bytes::from(crate::openapi::document());
    let json = [(header::CONTENT_TYPE, "application/json")];
    routes()
        .0
        .route("/v1/openapi.json", get(move || async move { (json, document) }))
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .with_state(app)
}

async fn no_such_route(method: Method, uri: Uri) -> Failure {
    // A name that is empty leaves a hole in its path, which then is no route.
    if uri.path().strip_prefix("/v1/").is_some_and(|rest| rest.split('/').any(str::is_empty)) {
        let rule = "a name or number in it is empty; a listing is asked for without a / at its end";
        return Failure::new(Code::BadName, format!("path {}: {rule}", shown(&uri)));
    }
    Failure::new(Code::NoSuchRoute, format!("{method} {}", shown(&uri)))
}

async fn no_such_method(method: Method, uri: Uri) -> Failure {
    let detail = format!("{} does not answer to {method}; the Allow header says to what", shown(&uri));
    Failure::new(Code::NoSuchRoute, detail).with_status(StatusCode::METHOD_NOT_ALLOWED)
}

fn shown(uri: &Uri) -> String {
    quoted(uri.path()).to_string()
}
