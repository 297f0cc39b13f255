use tidegate_client::{Client, api::Plugin};

use crate::{
    exit::Failure,
    show::{Out, Table, bytes},
};

/// The components that a host keeps
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(_: Args, client: &Client, out: Out) -> Result<(), Failure> {
    let plugins = client.plugins().await?.items;
    out.value(&plugins, || text(&plugins))
}

fn text(plugins: &[Plugin]) -> String {
    let mut table = Table::new(&["DIGEST", "SIZE", "NAME", "VERSION"]);
    for plugin in plugins {
        let said = |field: &str| plugin.manifest.as_ref()?.get(field)?.as_str().map(str::to_owned);
        let said = |field: &str| said(field).unwrap_or_else(|| "-".to_owned());
        table.row([plugin.digest.clone(), bytes(plugin.bytes), said("name"), said("version")]);
    }
    table.or("no component is kept")
}
