//! The main job on one machine, played to its end: a real model is trained twice with the same seed, once without
//! interruption and once on two ranks that save through a host. A trainer is killed in the middle of a save, the host is
//! stopped, its whole NVMe tier is deleted, and the run goes on from object storage. Every later loss must be the same,
//! bit for bit.
//!
//! [`Scene`] has a method for each act; [`Scene::end`] gives the [`Report`]. Whoever plays it chooses the model, the
//! object target and the binary by the [`Plan`], and hears what happens through a closure. The end-to-end tests and
//! `cargo xtask demo` play the same scene.
//!
//! ```text
//! <dir>/host/         the host: socket, tier, and object storage unless the plan names another
//! <dir>/plain/        the same files written with write + fsync, for the comparison of times
//! <dir>/baseline.*, rank-0.*, rank-1.*   losses, stalls and output of the trainers
//! ```

mod facts;
mod losses;
mod plan;
mod report;
mod scene;
mod stalls;
mod trainer;

pub use facts::{Facts, Pruned};
pub use losses::{Comparison, Difference, Loss};
pub use plan::{Model, Plan, workspace};
pub use report::Report;
pub use scene::Scene;
pub use stalls::{Restore, Save};

/// Where a scene says what happens, a short line at a time.
pub type Say<'a> = &'a mut dyn FnMut(&str);
