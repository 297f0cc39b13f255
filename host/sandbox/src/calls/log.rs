//! `log.wit`: lines for the operator. They cost no budget, since a line never fails; what is too much is dropped.

use crate::{
    Level,
    bindings::tidegate::bot::log::{Host, Level as Said},
    guest::Guest,
};

impl Host for Guest {
    fn line(&mut self, level: Said, message: String) -> wasmtime::Result<()> {
        let level = match level {
            Said::Debug => Level::Debug,
            Said::Info => Level::Info,
            Said::Warn => Level::Warn,
            Said::Error => Level::Error,
        };
        self.logs.push(level, &message);
        Ok(())
    }
}
