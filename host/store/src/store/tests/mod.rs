//! Behaviour of the store on a real file system, with a clock that the tests move.

mod commit;
mod hostile;
mod recover;

use std::{fs, path::Path, sync::Arc};

use tidegate_core::{Checkpoint, ManualClock, Metrics, Refusal, Tier, Timestamp};

use super::{Options, Recovered, Store};
use crate::{Begin, Committed, Result, Save};

struct Bench {
    store: Store,
    clock: Arc<ManualClock>,
    recovered: Recovered,
}

fn open(dir: &Path) -> Bench {
    let mut options = Options::new(dir, "h".parse().unwrap());
    options.reserve_bytes = 0;
    let clock = Arc::new(ManualClock::at(Timestamp(1_000)));
    let (store, recovered) = Store::open(options, clock.clone()).unwrap();
    Bench { store, clock, recovered }
}

fn begin(step: u64, rank: u64, world: u64) -> Begin {
    Begin {
        run: "r".parse().unwrap(),
        step: step.try_into().unwrap(),
        rank: rank.try_into().unwrap(),
        world_size: world.try_into().unwrap(),
        bytes: Some(1000),
        writer: None,
    }
}

impl Bench {
    fn save(&self, begin: Begin, files: &[(&str, &[u8])]) -> Save {
        let save = self.store.begin(begin).unwrap();
        for (name, bytes) in files {
            let path = save.path.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        save
    }

    fn commit(&self, begin: Begin, files: &[(&str, &[u8])]) -> Result<Committed> {
        self.store.commit(&self.save(begin, files).id, Metrics::default())
    }

    fn checkpoint(&self, step: u64) -> Option<Checkpoint> {
        self.store.index().view().checkpoint(&"r".parse().unwrap(), step.try_into().unwrap()).unwrap()
    }

    /// Waits until the checkpoint is verified on NVMe: on the journal, not on time.
    fn sealed(&self, step: u64) -> Checkpoint {
        for rank in self.checkpoint(step).unwrap().shards.keys() {
            self.store.seal_now(&"r".parse().unwrap(), step.try_into().unwrap(), *rank).unwrap();
        }
        let sealed = self.checkpoint(step).unwrap();
        assert!(sealed.verified(Tier::Nvme));
        sealed
    }

    fn remove(&self, step: u64) -> super::Removed {
        let allow = |_: &crate::Tx<'_>, _: Option<&Checkpoint>| Ok::<_, Anything>("the test says so".into());
        match self.store.remove(&"r".parse().unwrap(), step.try_into().unwrap(), "test".into(), allow) {
            Ok(removed) => removed,
            Err(_) => panic!("removal failed"),
        }
    }
}

enum Anything {
    #[expect(dead_code, reason = "only its presence matters")]
    Refused(Refusal),
    Failed,
}

impl From<crate::Error> for Anything {
    fn from(_: crate::Error) -> Self {
        Self::Failed
    }
}

/// Every path below a directory, but for the index.
fn tree(dir: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    let mut todo = vec![dir.to_path_buf()];
    while let Some(at) = todo.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("index") {
                continue;
            }
            paths.push(path.strip_prefix(dir).unwrap().display().to_string());
            if path.is_dir() {
                todo.push(path);
            }
        }
    }
    paths.sort();
    paths
}

const EMPTY: [&str; 5] = ["quarantine", "restores", "runs", "staging", "trash"];
