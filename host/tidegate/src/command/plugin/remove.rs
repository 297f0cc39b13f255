use serde_json::json;
use tidegate_client::Client;
use tidegate_core::{Digest, quoted};

use crate::{exit::Failure, show::Out};

/// Remove a component from a host that nothing needs any more, with what was compiled of it
///
/// Refused while a bot runs it, may go back to it or is compared with it, or an event is parked with it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its digest, as `plugin list` shows it
    digest: String,
}

pub(crate) async fn run(args: Args, client: &Client, out: Out) -> Result<(), Failure> {
    let digest: Digest =
        args.digest.parse().map_err(|rule| Failure::Usage(format!("{} is none: {rule}", quoted(&args.digest))))?;
    client.remove_plugin(&digest.to_string()).await?;
    out.value(&json!({ "removed": digest }), || format!("component {digest} is removed"))
}
