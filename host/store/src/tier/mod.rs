//! Files and directories of the tier: where they are, how they are made durable, what is read from them.

mod layout;
mod open;
mod record;
mod sync;
mod walk;

pub(crate) use layout::{Layout, list};
pub(crate) use open::open;
pub(crate) use record::{CommitRecord, FileStat, first_changed, read_record, write_record};
pub(crate) use sync::{rename_durably, sync_all, sync_dir};
pub(crate) use walk::{Walked, make_read_only, walk};
