use std::path::PathBuf;

use crate::{
    config,
    exit::Failure,
    host::{self, Existing, Manner, Running},
    show::Out,
};

/// Run a host
///
/// Variables go before the file: TIDEGATE_TIER__RESERVE_BYTES is `reserve_bytes` in `[tier]`. The log goes to standard
/// error; TIDEGATE_LOG chooses what is in it (default: info). SIGTERM and Ctrl-C drain; the second one quits at once.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The configuration, a TOML file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(crate) fn run(args: Args, out: Out) -> Result<(), Failure> {
    let config = config::from_file(&args.config)?;
    host::init_log(out.json);
    let manner = Manner { any_port: false, bots: Existing::Replace };
    host::live(&config, manner, |Running { socket, address, bots, notes }| {
        for note in notes {
            tracing::warn!("{note}");
        }
        let (socket, address) = (socket.display(), address.map(|address| address.to_string()));
        let bots: Vec<&str> = bots.iter().map(|bot| bot.as_str()).collect();
        tracing::info!(name = %config.host.name, %socket, ?address, ?bots, "ready");
        Ok(())
    })
}
