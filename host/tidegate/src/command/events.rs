use std::time::Duration;

use serde_json::Value;
use tidegate_client::{Client, Error, api::Event};

use crate::{
    exit::Failure,
    show::{Out, moment},
};

/// The journal: what has happened, in order
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Go on with what happens from now on, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Only events after this place in the journal
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: u64,
}

/// After this many failed attempts to reach the host in a row, following ends.
const ATTEMPTS: u32 = 60;

pub(crate) async fn run(args: Args, client: &Client, out: Out) -> Result<(), Failure> {
    if args.follow {
        return tokio::select! {
            ended = follow(args.after, client, out) => ended,
            _ = tokio::signal::ctrl_c() => Ok(()),
        };
    }
    let mut after = args.after;
    loop {
        let page = client.events(after, 1000, Duration::ZERO).await?;
        let Some(last) = page.items.last() else { return Ok(()) };
        after = last.seq;
        for event in &page.items {
            out.line(event, || text(event))?;
        }
    }
}

/// Prints events as they come; a host that restarts is waited for, and nothing is missed or printed twice.
async fn follow(after: u64, client: &Client, out: Out) -> Result<(), Failure> {
    let mut stream = client.follow(after);
    // A host that was never there is an error at once.
    client.health().await?;
    let mut failed = 0;
    loop {
        match stream.next().await {
            Ok(event) => {
                failed = 0;
                out.line(&event, || text(&event))?;
            }
            Err(Error::Broken { .. } | Error::Unreachable { .. }) if failed < ATTEMPTS => {
                failed += 1;
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn text(event: &Event) -> String {
    let told = |value: &Value| match value {
        Value::String(text) if text.contains(char::is_whitespace) || text.is_empty() => format!("{text:?}"),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut what: Vec<String> = Vec::new();
    // Run and step first, then the rest by name.
    for first in ["run", "step"] {
        what.extend(event.what.get(first).map(|value| format!("{first}={}", told(value))));
    }
    let rest = event.what.iter().filter(|(name, _)| *name != "run" && *name != "step");
    what.extend(rest.map(|(name, value)| format!("{name}={}", told(value))));
    format!("{:>6}  {}  {:<21} {}", event.seq, moment(&event.time), event.kind, what.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_with_run_and_step_first() {
        let event = serde_json::json!({
            "seq": 7, "time": "2026-11-16T00:00:00.123456Z", "host": "dev", "kind": "checkpoint-pruned",
            "bytes": 5, "reason": "not among the last 3", "run": "gpt", "step": 40, "tier": "nvme",
        });
        let event: Event = serde_json::from_value(event).unwrap();
        let line = "     7  2026-11-16 00:00:00  checkpoint-pruned     \
                    run=gpt step=40 bytes=5 reason=\"not among the last 3\" tier=nvme";
        assert_eq!(text(&event), line);
    }
}
