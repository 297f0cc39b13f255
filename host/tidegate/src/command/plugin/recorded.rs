//! A host made of a file of events, for as long as a dry run takes.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use tidegate_client::{
    Error,
    api::{self, Trial, TrialRequest},
};
use tidegate_core::{Clock, Event, EventKind, HostName, SystemClock, TargetName, limits};
use tidegate_engine::{Host, Options};
use tidegate_replica::Target;
use tidegate_sandbox::Sandbox;
use tidegate_store::Store;

use crate::{command::input, exit::Failure, host::watch};

/// Events of one file: as many as a host keeps.
const EVENTS: usize = 1_000_000;
/// Bytes of one line.
const LINE: u64 = 256 << 10;
/// Events that are taken in at once.
const GROUP: usize = 1_000;

/// What a host has recorded.
#[derive(Debug)]
pub(super) struct Recording {
    events: Vec<Event>,
    /// The object target that they name; the usual one if they name none.
    target: TargetName,
}

impl Recording {
    /// Reads a file as `tidegate events --json` prints it: an event a line, in their order.
    ///
    /// # Errors
    /// A file that can't be read, or a line that is no event, which is named.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let unreadable = |error: io::Error| Failure::Usage(input::unreadable(path, &error.to_string()));
        let file = File::open(path).map_err(unreadable)?;
        let mut lines = BufReader::new(file);
        let (mut events, mut target): (Vec<Event>, _) = (Vec::new(), None);
        for number in 1_usize.. {
            let wrong = |why: String| Failure::Usage(format!("{} line {number}: {why}", path.display()));
            let mut line = Vec::new();
            lines.by_ref().take(LINE + 1).read_until(b'\n', &mut line).map_err(unreadable)?;
            match line.trim_ascii() {
                _ if line.len() as u64 > LINE => return Err(wrong(format!("it has more than {LINE} bytes"))),
                [] if line.is_empty() => break,
                [] => continue,
                text => {
                    let shown: api::Event = serde_json::from_slice(text).map_err(|error| wrong(error.to_string()))?;
                    let event = tidegate_server::recorded(shown).map_err(wrong)?;
                    if let Some(last) = events.last().filter(|last| last.seq >= event.seq) {
                        return Err(wrong(format!("event {} after event {}: give them in order", event.seq, last.seq)));
                    }
                    if events.len() == EVENTS {
                        return Err(wrong(format!("more than {EVENTS} events: leave the oldest out")));
                    }
                    if let EventKind::CheckpointReplicated { target: named, .. }
                    | EventKind::CheckpointFound { target: named, .. } = &event.kind
                    {
                        target = Some(named.clone());
                    }
                    events.push(event);
                }
            }
        }
        let target = target.map_or_else(|| "default".parse().map_err(anyhow::Error::from), Ok)?;
        Ok(Self { events, target })
    }

    /// Lets a component decide about the events, in this process and in a directory that is removed afterwards, also after
    /// Ctrl-C or SIGTERM; the second ends at once.
    ///
    /// # Errors
    /// A component, settings or grants that a host would refuse.
    pub(super) async fn try_out(self, file: &Path, copies: u32, mut asked: TrialRequest) -> Result<Trial, Failure> {
        let component = input::file(file, limits::COMPONENT_BYTES)?;
        let stop = watch()?;
        let dir = tempfile::tempdir().context("make a directory for the trial")?;
        let name = self.events.first().map_or_else(|| "recorded".parse(), |first| Ok(first.host.clone()));
        let (name, target, path) = (name.map_err(anyhow::Error::from)?, self.target, dir.path().to_owned());
        let host = tokio::task::spawn_blocking(move || host(name, target, &path, copies));
        let host = host.await.map_err(anyhow::Error::from)??;
        let work = async {
            let refused = |error: tidegate_engine::Error| Failure::Usage(format!("{}: {error}", file.display()));
            asked.plugin = host.add_plugin(component.into()).await.map_err(refused)?.digest.to_string();
            let mut events = self.events.into_iter().peekable();
            while events.peek().is_some() && !stop.is_cancelled() {
                let group = events.by_ref().take(GROUP).collect();
                host.learn(group).await.map_err(anyhow::Error::from)?;
            }
            let tried = tidegate_server::try_out(&host, asked).await;
            tried.map_err(|problem| Failure::Client(Error::Problem(Box::new(problem))))
        };
        let mut work = pin!(work);
        tokio::select! {
            tried = &mut work => tried,
            () = stop.cancelled() => {
                // Its threads write into the directory, and the process waits for them.
                host.hurry();
                let _ = work.await;
                Err(Failure::Interrupted)
            }
        }
    }
}

/// A host that stands still, below a directory.
fn host(name: HostName, target: TargetName, dir: &Path, copies: u32) -> anyhow::Result<Host> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let (store, _) = Store::open(tidegate_store::Options::new(dir.join("tier"), name.clone()), clock.clone())?;
    let object = url::Url::from_directory_path(dir.join("object")).map_err(|()| anyhow::anyhow!("{dir:?}"))?;
    let target = Target::open(target, object.as_str(), tidegate_replica::Options::default())?;
    let sandbox = Sandbox::new(tidegate_sandbox::Options { instances: 1, ..Default::default() })?;
    let options = Options {
        name,
        plugins: dir.join("plugins"),
        wanted_copies: copies,
        private: Vec::<PathBuf>::new(),
        uploads: 1,
        deltas: 16,
        drain: Duration::ZERO,
    };
    Ok(Host::recorded(options, clock, Arc::new(store), Arc::new(target), sandbox)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<u64>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events");
        std::fs::write(&path, text).unwrap();
        match Recording::read(&path) {
            Ok(recording) => Ok(recording.events.iter().map(|event| event.seq).collect()),
            Err(Failure::Usage(said)) => Err(said.replace(&path.display().to_string(), "FILE")),
            Err(other) => panic!("{other:?}"),
        }
    }

    fn line(seq: u64) -> String {
        format!(
            r#"{{"seq":{seq},"time":"2026-11-16T00:00:00.123456Z","host":"h","kind":"checkpoint-sealed","run":"r","step":1}}"#
        )
    }

    #[test]
    fn events_stand_in_lines_and_what_is_wrong_is_said_with_its_line() {
        assert_eq!(read(&format!("{}\n\n{}\r\n{}", line(2), line(3), line(7))), Ok(vec![2, 3, 7]));
        assert_eq!(read(""), Ok(vec![]));
        let said = |text: &str| read(text).unwrap_err();
        assert!(said(&format!("{}\nnonsense", line(1))).starts_with("FILE line 2: expected"), "{}", said("nonsense"));
        assert_eq!(
            said(&format!("{}\n{}", line(3), line(3))),
            "FILE line 2: event 3 after event 3: give them in order"
        );
        assert!(said(&line(1).replace("sealed", "melted")).contains("line 1: unknown variant `checkpoint-melted`"));
        assert!(said(&line(1).replace("2026-11-16", "yesterday")).contains("line 1: `time`"));
        assert!(said(&"x".repeat(300 << 10)).contains("line 1: it has more than 262144 bytes"));
    }
}
