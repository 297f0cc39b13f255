//! Where everything lies in a target, below the URL's own prefix:
//!
//! ```text
//! v1/runs/<run>/<step, 16 digits>/checkpoint.cbor                     the marker: the checkpoint is complete here
//! v1/runs/<run>/<step, 16 digits>/rank-<rank, 5 digits>.cbor          the manifest of one shard
//! v1/runs/<run>/<step, 16 digits>/<rank, 5 digits>/data/<file digest> the bytes of one file, in the plain layout
//! v1/runs/<run>/<step, 16 digits>/<rank, 5 digits>/packs/<digest>     many encoded blocks, in the packed layout
//! v1/runs/<run>/<step, 16 digits>/needed-by/<later step>-<rank>       a later shard is kept as differences from this one
//! v1/runs/<run>/<step, 16 digits>/deleting                            the checkpoint is about to be deleted
//! v1/probe/<random>                                                   short-lived, made while the target is probed
//! ```
//!
//! Why so:
//! - **Data is named by its content.** A second try, or a second uploader, can only write the same bytes under the same
//!   name; an object that is already there is as good as a new one once its bytes are verified. Multipart uploads know
//!   no conditional create, and so need none.
//! - **Data lies below its rank**, not in a pool for the whole run: a checkpoint is deleted by prefix, without counting
//!   references, and no host can delete what another one needs. Equal files of one shard are one object.
//! - **The manifest comes last**, by conditional create: a shard is there when its manifest is there. Two uploaders of
//!   the same shard agree, and one of other bytes is refused.
//! - **The marker comes after all manifests**, and repeats what a host needs to know about the checkpoint: a fresh host
//!   reads one small object for each checkpoint instead of one for each rank, and never takes a part for the whole.
//! - **Deleting goes the other way round**: marker, manifests, data. What is half deleted is never taken for whole.
//! - **What a killed uploader leaves** is no object: parts of a multipart upload that was never completed, which a bucket's
//!   lifecycle rule should remove after a day (no store lists them for us), and in a directory temporary files with a `#`
//!   in their names, which the next shipping of the shard removes.
//! - **Steps and ranks have a fixed width**, so that the order of names is the order of numbers.
//! - **The version is in the path**: a host that knows only `v1` never misreads what a newer one writes.

use object_store::path::Path;
use tidegate_core::{Digest, Rank, RunName, Step};

/// The names of objects below one prefix.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    base: Path,
}

impl Layout {
    pub(crate) fn below(prefix: &Path) -> Self {
        Self { base: prefix.clone().join("v1") }
    }

    pub(crate) fn runs(&self) -> Path {
        self.base.clone().join("runs")
    }

    pub(crate) fn run(&self, run: &RunName) -> Path {
        self.runs().join(run.as_str())
    }

    pub(crate) fn step(&self, run: &RunName, step: Step) -> Path {
        self.run(run).join(format!("{step:016}"))
    }

    pub(crate) fn marker(&self, run: &RunName, step: Step) -> Path {
        self.step(run, step).join("checkpoint.cbor")
    }

    pub(crate) fn manifest(&self, run: &RunName, step: Step, rank: Rank) -> Path {
        self.step(run, step).join(format!("rank-{rank:05}.cbor"))
    }

    pub(crate) fn rank(&self, run: &RunName, step: Step, rank: Rank) -> Path {
        self.step(run, step).join(format!("{rank:05}"))
    }

    pub(crate) fn data(&self, run: &RunName, step: Step, rank: Rank) -> Path {
        self.rank(run, step, rank).join("data")
    }

    pub(crate) fn packs(&self, run: &RunName, step: Step, rank: Rank) -> Path {
        self.rank(run, step, rank).join("packs")
    }

    pub(crate) fn references(&self, run: &RunName, base: Step) -> Path {
        self.step(run, base).join("needed-by")
    }

    pub(crate) fn reference(&self, run: &RunName, base: Step, step: Step, rank: Rank) -> Path {
        self.references(run, base).join(format!("{step:016}-{rank:05}"))
    }

    pub(crate) fn tombstone(&self, run: &RunName, step: Step) -> Path {
        self.step(run, step).join("deleting")
    }

    pub(crate) fn probe(&self, name: &str) -> Path {
        self.base.clone().join("probe").join(name)
    }
}

/// The step that a directory name stands for; none for what is not ours.
pub(crate) fn step_of(name: &str) -> Option<Step> {
    let step: Step = digits(name, 16)?.parse().ok()?;
    Some(step)
}

/// The rank that a manifest's name stands for.
pub(crate) fn manifest_rank(name: &str) -> Option<Rank> {
    digits(name.strip_prefix("rank-")?.strip_suffix(".cbor")?, 5)?.parse().ok()
}

/// The step and rank that a reference's name stands for.
pub(crate) fn referring(name: &str) -> Option<(Step, Rank)> {
    let (step, rank) = name.split_once('-')?;
    Some((step_of(step)?, digits(rank, 5)?.parse().ok()?))
}

/// The digest that a data object's name stands for.
pub(crate) fn digest_of(name: &str) -> Option<Digest> {
    name.parse().ok()
}

fn digits(text: &str, width: usize) -> Option<&str> {
    (text.len() == width && text.bytes().all(|b| b.is_ascii_digit())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_the_documentation_says_and_read_back() {
        let layout = Layout::below(&Path::from("a/b"));
        let (run, step, rank) = ("gpt".parse().unwrap(), 12.try_into().unwrap(), 3.try_into().unwrap());
        let name = |path: Path| path.to_string();
        assert_eq!(name(layout.marker(&run, step)), "a/b/v1/runs/gpt/0000000000000012/checkpoint.cbor");
        assert_eq!(name(layout.manifest(&run, step, rank)), "a/b/v1/runs/gpt/0000000000000012/rank-00003.cbor");
        assert_eq!(name(layout.data(&run, step, rank)), "a/b/v1/runs/gpt/0000000000000012/00003/data");
        assert_eq!(name(layout.packs(&run, step, rank)), "a/b/v1/runs/gpt/0000000000000012/00003/packs");
        let reference = layout.reference(&run, step, 13.try_into().unwrap(), rank);
        assert_eq!(reference.to_string(), "a/b/v1/runs/gpt/0000000000000012/needed-by/0000000000000013-00003");
        assert_eq!(referring(reference.filename().unwrap()), Some((13.try_into().unwrap(), rank)));
        assert_eq!(step_of("0000000000000012"), Some(step));
        assert_eq!(manifest_rank("rank-00003.cbor"), Some(rank));
    }

    #[test]
    fn foreign_names_stand_for_nothing() {
        for name in ["", "12", "000000000000012x", "+000000000000012", "9999999999999999", "00000000000000012"] {
            assert_eq!(step_of(name), None, "{name:?}");
        }
        for name in ["rank-3.cbor", "rank-99999.cbor", "rank-00003.cbor.tmp", "rank-+0003.cbor", "checkpoint.cbor"] {
            assert_eq!(manifest_rank(name), None, "{name:?}");
        }
    }
}
