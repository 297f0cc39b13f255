//! `clock.wit`: the time of the event.

use crate::{bindings::tidegate::bot::clock::Host, guest::Guest};

impl Host for Guest {
    fn now(&mut self) -> wasmtime::Result<u64> {
        // It can't be refused: a bot that asks too often is ended, as with every other call.
        self.budget.spend(0).map_err(wasmtime::Error::new)?;
        Ok(self.now.0)
    }
}
