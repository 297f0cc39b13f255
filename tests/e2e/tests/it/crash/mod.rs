//! `kill -9` of a real host at random moments, again and again on one directory, while trainers save, bots replicate
//! and prune, and an operator interferes.
//!
//! What was promised is recorded outside of the host: each save's files with their digests, and whether its commit was
//! asked for and answered. After each restart all of it is compared with what there is: journal, index, tier, bucket,
//! and the bytes of every restore.
//!
//! | variable | means |
//! | --- | --- |
//! | `TIDEGATE_TEST_SEED` | repeats the choices of a run; its timing is the machine's |
//! | `TIDEGATE_TEST_ROUNDS` | how many times the host is killed under load; `cargo xtask prove crash` takes 200 |

mod bucket;
mod campaign;
mod check;
mod history;
mod ledger;
mod mischief;
mod operator;
mod shared;
mod watcher;
mod writer;

use anyhow::Result;

use crate::ask::number;
use campaign::{Campaign, Setting};

/// Rounds where nobody says how many; with the S3 server, which takes seconds to start, a quarter of them. A round takes
/// about two seconds in a debug build on two busy cores, half of it the start of the host, so two hundred are left to
/// `cargo xtask prove crash`.
const ROUNDS: u64 = 48;

fn run(setting: Setting) -> Result<()> {
    let seed = number("TIDEGATE_TEST_SEED")?.unwrap_or_else(|| fastrand::u64(..1 << 32));
    let rounds = number("TIDEGATE_TEST_ROUNDS")?.unwrap_or(ROUNDS);
    let rounds = if setting == Setting::SeaweedFs { rounds.div_ceil(4) } else { rounds };
    println!("TIDEGATE_TEST_SEED={seed} TIDEGATE_TEST_ROUNDS={rounds}");
    Campaign::new(setting, seed)?.run(rounds)
}

#[test]
fn nothing_acknowledged_is_lost_by_kill_9_and_nothing_else_appears() -> Result<()> {
    run(Setting::Directory)
}

#[test]
fn the_same_holds_with_an_s3_server_that_is_killed_as_well() -> Result<()> {
    run(Setting::SeaweedFs)
}
