use std::path::{Path, PathBuf};

use crate::host;

/// Which model of `examples/train-gpt` is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// 0.12 million parameters: milliseconds a step, 1.4 MB a checkpoint.
    Small,
    /// 10.8 million parameters: about a second a step, 129 MB a checkpoint.
    Base,
}

impl Model {
    /// As `train.py --model` takes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Base => "base",
        }
    }
}

/// What is played.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The model.
    pub model: Model,
    /// The step that both trainings end with.
    pub steps: u64,
    /// A checkpoint after each step that this number divides.
    pub every: u64,
    /// The save in which rank 1 is killed: a multiple of `every`, with at least one before it.
    pub crash_at: u64,
    /// The seed of the weights and of the order of the text.
    pub seed: u64,
    /// Holds everything; on the file system that is to be measured.
    pub dir: PathBuf,
    /// The host, on [`Plan::host_dir`].
    pub host: host::Options,
}

impl Plan {
    /// A plan below `dir`, in which the crash comes after five checkpoints and three more follow: the prune bot of
    /// `tidegate dev`, which keeps the last three, has work to do before and after.
    #[must_use]
    pub fn new(model: Model, dir: &Path) -> Self {
        let every = match model {
            Model::Small => 3,
            Model::Base => 4,
        };
        let host = host::Options::dev(&Self::host_dir(dir));
        Self { model, steps: 9 * every, every, crash_at: 6 * every, seed: 7, dir: dir.into(), host }
    }

    /// Where the host of a plan below `dir` lives.
    #[must_use]
    pub fn host_dir(dir: &Path) -> PathBuf {
        dir.join("host")
    }

    /// The newest checkpoint that every rank has finished when rank 1 is killed.
    #[must_use]
    pub fn last_complete(&self) -> u64 {
        self.crash_at - self.every
    }

    /// A file of this plan.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// The root of the workspace that this crate was built in.
#[must_use]
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new(".")).to_owned()
}
