use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Logs to standard error what `TIDEGATE_LOG` asks for (`info` unless it is set), for people or as JSON lines.
pub(crate) fn init(json: bool) {
    let filter = EnvFilter::try_from_env("TIDEGATE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json {
        log.json().init();
    } else {
        log.with_ansi(std::io::stderr().is_terminal()).init();
    }
}
