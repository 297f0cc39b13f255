//! How results and errors look.

mod failure;
mod out;
mod progress;
mod table;

pub(crate) use failure::show as failure;
pub(crate) use out::{Out, bytes, fields, moment, print};
pub(crate) use table::Table;
