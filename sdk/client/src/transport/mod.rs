//! HTTP/1.1 over one stream, driven by whoever waits for the answer.

mod call;
mod link;
mod pool;
mod sse;

pub(crate) use call::Call;
pub(crate) use link::{Link, Lost};
pub(crate) use pool::Pool;
pub(crate) use sse::Parser;
