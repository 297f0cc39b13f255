//! `clock.wit`: the time of the event.

use crate::{bindings::tidegate::bot::clock::Host, guest::Guest};

impl Host for Guest {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.now.0)
    }
}
