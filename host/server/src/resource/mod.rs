//! One file a resource: its handlers, and how the engine's values look on the wire.

mod bots;
mod checkpoints;
mod events;
mod health;
mod jobs;
mod pins;
mod plugins;
mod prunings;
mod restores;
mod runs;
mod saves;
mod stream;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// Every resource, with its place in the OpenAPI document.
pub(crate) fn all() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(saves::router())
        .merge(runs::router())
        .merge(checkpoints::router())
        .merge(pins::router())
        .merge(prunings::router())
        .merge(restores::router())
        .merge(jobs::router())
        .merge(events::router())
        .merge(stream::router())
        .merge(plugins::router())
        .merge(bots::router())
        .merge(health::router())
}
