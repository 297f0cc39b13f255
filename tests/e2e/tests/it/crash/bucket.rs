//! The object tier of a campaign, looked at past the host.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tidegate_tests_support::{host, s3, seaweed::SeaweedFs, tree::Tree};

use super::history::History;

/// Where copies go.
pub(super) enum Bucket {
    /// The directory that `tidegate dev` makes.
    Directory(PathBuf),
    /// A server that can be killed.
    Server(Box<(SeaweedFs, TempDir)>),
}

impl Bucket {
    pub(super) fn seaweed() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        Ok(Self::Server(Box::new((SeaweedFs::start(dir.path())?, dir))))
    }

    pub(super) fn server(&mut self) -> Option<&mut SeaweedFs> {
        match self {
            Self::Directory(_) => None,
            Self::Server(server) => Some(&mut server.0),
        }
    }

    /// The host's options for it.
    pub(super) fn options(&self, options: host::Options) -> host::Options {
        match self {
            Self::Directory(_) => options,
            Self::Server(server) => {
                options.object(&format!("s3://{}/crash", server.0.bucket())).envs(server.0.env(&server.0.endpoint()))
            }
        }
    }

    /// The names of all objects below the host's prefix.
    fn names(&self) -> Result<Vec<String>> {
        match self {
            Self::Directory(dir) => Ok(Tree::read(dir)?.paths().map(str::to_owned).collect()),
            Self::Server(server) => {
                let names = s3::list(&server.0, "crash/")?;
                Ok(names.into_iter().filter_map(|name| Some(name.strip_prefix("crash/")?.to_owned())).collect())
            }
        }
    }

    /// Compares with the journal: every copy that it tells of has its marker and manifests; of all others nothing is
    /// left, but of steps that were damaged on purpose.
    pub(super) fn check(&self, history: &History, scarred: impl Fn(&(String, u64)) -> bool) -> Result<String> {
        let mut found: BTreeMap<(String, u64), Vec<String>> = BTreeMap::new();
        let mut probes = 0;
        for name in self.names()? {
            if name.starts_with("v1/probe/") {
                probes += 1;
                continue;
            }
            let below = name.strip_prefix("v1/runs/").with_context(|| format!("{name} is nobody's"))?;
            let mut parts = below.splitn(3, '/');
            let mut part = || parts.next().with_context(|| format!("{name} is nobody's"));
            let (run, step, rest) = (part()?.to_owned(), part()?.parse()?, part()?.to_owned());
            found.entry((run, step)).or_default().push(rest);
        }
        for (name, step) in history.live_steps().filter(|(_, step)| step.on_object()) {
            let objects = found.remove(name).unwrap_or_default();
            let unfinished = objects.iter().find(|object| object.contains('#'));
            ensure!(unfinished.is_none() || scarred(name), "LEAK in object storage: {name:?} has {unfinished:?}");
            for wanted in ["checkpoint.cbor", "rank-00000.cbor", "rank-00001.cbor"] {
                ensure!(
                    objects.iter().any(|object| object == wanted),
                    "{name:?} has no {wanted}: {step:?}, {objects:?}"
                );
            }
        }
        let left: Vec<_> =
            found.iter().filter(|(name, _)| !scarred(name)).map(|(name, objects)| (name, objects.first())).collect();
        ensure!(left.is_empty(), "LEAK in object storage: {left:?}, and perhaps more of each");
        Ok(format!("{probes} objects of probes are left in object storage"))
    }
}
