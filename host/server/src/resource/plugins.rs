//! Plugins: components as published.

use axum::{Json as Answer, extract::Request, extract::State, http::StatusCode};
use tidegate_api::{Page, Plugin};
use tidegate_core::limits;
use tidegate_engine::PluginInfo;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    http::{Failure, Problems, discard_body, read_body, refuse_type},
};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(upload, list))
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
