//! Checkpoints to a real S3 server and back, digests and checks included, beside the tools that users would pick: all on one
//! machine with the same server, taking turns, another one first in each round.

mod load;
mod ours;
mod replicate;
mod restore;
mod tools;
mod turns;

use anyhow::Result;

pub(crate) use load::{LOADS, Load};

use crate::{Args, figure::Figure};

/// How the host is told to lay out a checkpoint: as it is, and packed. None leaves it to a host that knows one way only.
const LAYOUTS: Option<(&str, &str)> = Some(("plain", "packed"));

/// Both ways, with what measures one load.
pub(crate) const VERBS: [(&str, Measure); 2] = [("replicate", replicate::measure), ("restore", restore::measure)];

type Measure = fn(&Args, &str, &Load) -> Result<Vec<Figure>>;
