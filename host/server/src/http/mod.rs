//! What all resources share: reading requests strictly, answering errors in one form.

mod body;
mod failure;
mod guard;
mod page;
mod path;
mod peer;
mod query;
mod time;

pub(crate) use body::{Json, Optional, discard as discard_body, read as read_body, refuse_type};
pub(crate) use failure::{Failure, Problems, problem};
pub(crate) use guard::check as check_origin;
pub(crate) use page::{Cursor, Listing, limit};
pub(crate) use path::Path;
pub(crate) use peer::Peer;
pub(crate) use query::Query;
pub(crate) use time::rfc3339;
