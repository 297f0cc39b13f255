//! One file a resource: its handlers, and how the engine's values look on the wire.

mod bots;
mod checkpoints;
mod events;
mod health;
mod jobs;
mod letters;
mod limits;
mod metrics;
mod pins;
mod plugins;
mod prunings;
mod restores;
mod runs;
mod saves;
mod stream;
mod trials;

use utoipa_axum::router::OpenApiRouter;

pub(crate) use bots::name_of;
pub use events::recorded;
pub use trials::try_out;

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
        .merge(letters::router())
        .merge(trials::router())
        .merge(limits::router())
        .merge(health::router())
        .merge(metrics::router())
}
