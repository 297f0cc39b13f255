use std::{net::SocketAddr, path::PathBuf};

use serde_json::json;

use crate::{
    config::{self, Config},
    exit::Failure,
    host::{self, Existing, Manner, Running},
    show::Out,
};

/// Run a host with everything on in one directory, for a laptop or a test
///
/// It is not for production: nobody watches it, and its object storage is a directory beside the tier. The two first-party
/// bots are installed if their components are found; settings that are changed later stay.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Holds everything: socket, tier, object storage
    #[arg(long, value_name = "DIR", default_value = "./tidegate-dev")]
    dir: PathBuf,
    /// A loopback address; port 0 takes a free one [default: 127.0.0.1:7070]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Object storage: s3://bucket/prefix, gs://…, az://…, file:///dir [default: DIR/object]
    #[arg(long, value_name = "URL")]
    object: Option<String>,
    /// The directory of replicate.wasm and prune.wasm [default: `plugins` beside or above the executable]
    #[arg(long, value_name = "DIR")]
    plugins: Option<PathBuf>,
}

pub(crate) fn run(args: Args, out: Out) -> Result<(), Failure> {
    let config = config::for_dev(&args.dir, args.listen, args.object.as_deref(), args.plugins.as_deref())?;
    host::init_log(false);
    let manner = Manner { any_port: true, bots: Existing::Keep };
    host::live(&config, manner, |running| {
        let Running { socket, address, bots, notes } = running;
        let bots: Vec<&str> = bots.iter().map(|bot| bot.as_str()).collect();
        let address = address.map(|address| format!("http://{address}"));
        let json = json!({ "socket": socket, "address": address, "bots": bots, "notes": notes });
        out.line(&json, || text(&config, running))
    })
}

fn text(config: &Config, running: &Running) -> String {
    let bots: Vec<&str> = running.bots.iter().map(|bot| bot.as_str()).collect();
    let bots = if bots.is_empty() { "none: nothing is copied or pruned".to_owned() } else { bots.join(", ") };
    let mut text = format!(
        "tidegate dev: NOT FOR PRODUCTION (one directory, no second machine, whoever can reach it may ask it)\n\
         socket   {}\n",
        running.socket.display(),
    );
    if let Some(address) = running.address {
        text += &format!("http     http://{address}  (the API is described at /v1/openapi.json)\n");
    }
    text += &format!("tier     {}\n", config.tier_path().display());
    text += &format!("object   {}\n", without_credentials(&config.object.url));
    text += &format!("bots     {bots}\n");
    for note in &running.notes {
        text += &format!("note     {note}\n");
    }
    text + "Ctrl-C stops it.\n"
}

/// A URL may carry a user and a password before its host.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "?".to_owned() };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_a_url_are_not_printed() {
        for (url, shown) in [
            ("s3://user:pa@ss@bucket/prefix", "s3://bucket/prefix"),
            ("az://account/container?sig=secret", "az://account/container"),
            ("file:///a/b@c", "file:///a/b@c"),
            ("memory://", "memory://"),
            ("secret", "?"),
        ] {
            assert_eq!(without_credentials(url), shown);
        }
    }
}
