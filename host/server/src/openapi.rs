//! The OpenAPI 3.1 document, made from the handlers themselves.

use tidegate_api::Problem;
use utoipa::OpenApi;

/// What the document says beside the operations.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tidegate",
        description = "Checkpoints of training runs on this host: save, list, restore, pin, prune; and the bots that \
                       look after them. Times are RFC 3339 in UTC, sizes bytes. Unknown fields and parameters are refused.",
    ),
    components(schemas(Problem)),
    tags(
        (name = "saves", description = "Saves in progress: begin, write files, commit"),
        (name = "runs", description = "Training runs"),
        (name = "checkpoints", description = "What the runs have saved"),
        (name = "restores", description = "Exact bytes brought back"),
        (name = "jobs", description = "Accepted effects being carried out"),
        (name = "target", description = "The object store, and what transfers may use"),
        (name = "events", description = "The journal of facts"),
        (name = "bots", description = "Plugins and the bots installed from them"),
        (name = "health", description = "How the host is"),
    ),
)]
pub(crate) struct About;

/// The OpenAPI 3.1 document of this version of the API, as indented JSON.
pub fn document() -> String {
    let mut json = crate::router::routes().1.to_pretty_json().unwrap_or_default();
    json.push('\n');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_the_golden_one() {
        insta::assert_snapshot!("openapi", document());
    }

    #[test]
    fn every_operation_says_what_it_does_and_how_it_fails() {
        let document: serde_json::Value = serde_json::from_str(&document()).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        let mut names = std::collections::HashSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                assert!(operation["summary"].is_string(), "{method} {path}");
                assert!(names.insert(operation["operationId"].clone()), "{method} {path}: its id is another's");
                let responses = operation["responses"].as_object().unwrap();
                assert!(path.ends_with('z') || responses.contains_key("default"), "{method} {path}");
                assert!(responses.values().all(|it| it["description"].is_string()), "{method} {path}: {responses:?}");
                let parameters = operation["parameters"].as_array();
                assert!(parameters.is_none_or(|all| all.iter().all(|it| it["schema"].is_object())), "{method} {path}");
            }
        }
    }
}
