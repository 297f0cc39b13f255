//! `types.wit`: refusals, in the guest's words.

use tidegate_core::Why;

use crate::{
    bindings::tidegate::bot::types::{Host, Refusal},
    bounds::shortened,
    guest::{Guest, Stop},
};

/// Bytes of a refusal's text.
const TEXT_BYTES: usize = 1024;

impl Host for Guest {
    fn convert_refusal(&mut self, stop: Stop) -> wasmtime::Result<Refusal> {
        let refusal = match stop {
            Stop::Refused(refusal) => refusal,
            Stop::Trap(error) => return Err(error),
        };
        let text = shortened(&refusal.message, TEXT_BYTES);
        Ok(match refusal.why {
            Why::Denied => Refusal::Denied(text),
            Why::WouldLoseData => Refusal::WouldLoseData(text),
            Why::OverQuota => Refusal::OverQuota(text),
            Why::NotFound => Refusal::NotFound(text),
            Why::Unnecessary => Refusal::Unnecessary(text),
            Why::Invalid => Refusal::Invalid(text),
            Why::Unavailable => Refusal::Unavailable(text),
            Why::StaleToken => Refusal::StaleToken(text),
        })
    }
}
