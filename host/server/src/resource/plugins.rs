//! Plugins: components as published.

use axum::{
    Json as Answer,
    extract::{Request, State},
    http::StatusCode,
};
use tidegate_api::{Page, Plugin};
use tidegate_core::{Code, limits, quoted};
use tidegate_engine::PluginInfo;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    http::{Failure, Path, Problems, discard_body, read_body, refuse_type},
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(upload, list)).routes(routes!(remove))
}

fn show(plugin: PluginInfo) -> Plugin {
    let manifest = plugin.manifest.and_then(|manifest| serde_json::to_value(manifest).ok());
    Plugin { digest: plugin.digest.to_string(), bytes: plugin.bytes, manifest }
}

/// Upload a component of the world `tidegate:bot/policy`, at most 64 MiB. It runs nothing: install a bot of it for that.
#[utoipa::path(post, operation_id = "plugins_upload", path = "/v1/plugins", tag = "bots",
    request_body(content_type = "application/wasm", content = [u8]),
    responses((status = 201, body = Plugin, description = "It is stored under its digest"), Problems))]
async fn upload(State(app): State<App>, request: Request) -> Result<(StatusCode, Answer<Plugin>), Failure> {
    refuse_type(request.headers(), &["application/wasm", "application/octet-stream"])?;
    let _turn = match app.upload_turn().await {
        Ok(turn) => turn,
        Err(refusal) => {
            discard_body(request).await;
            return Err(refusal);
        }
    };
    let component = read_body(request, limits::COMPONENT_BYTES).await?;
    Ok((StatusCode::CREATED, Answer(show(app.host.add_plugin(component).await?))))
}

/// The stored components.
#[utoipa::path(get, operation_id = "plugins_list", path = "/v1/plugins", tag = "bots",
    responses((status = 200, body = Page<Plugin>, description = "The components"), Problems))]
async fn list(State(app): State<App>) -> Result<Answer<Page<Plugin>>, Failure> {
    let items = app.host.plugins().await?.into_iter().map(show).collect();
    Ok(Answer(Page { items, next: None }))
}

/// Remove a stored component, with what was compiled of it. Refused (409) while a bot runs it, may go back to it or is
/// compared with it, or an event is parked with it. Durable when answered.
#[utoipa::path(delete, operation_id = "plugins_remove", path = "/v1/plugins/{digest}", tag = "bots",
    params(("digest" = String, Path, description = "The component")),
    responses((status = 204, description = "It is gone"), Problems))]
async fn remove(State(app): State<App>, Path(digest): Path<String>) -> Result<StatusCode, Failure> {
    // A text that can't be a digest names no plugin: 404, like any other unknown one.
    let unknown = |rule| Failure::new(Code::UnknownPlugin, format!("plugin {}: {rule}", quoted(&digest)));
    app.host.remove_plugin(digest.parse().map_err(unknown)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
