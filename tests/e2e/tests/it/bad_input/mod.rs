//! Bad input gets a clear answer and leaves nothing: every trick is played against a host that runs, over its API.

mod bombs;
mod bots;
mod components;
mod files;
mod floods;
mod names;
mod numbers;
mod requests;
pub(crate) mod site;
mod unknown;
mod users;
