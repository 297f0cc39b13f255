//! `random.wit`: chance that repeats.

use crate::{
    bindings::tidegate::bot::random::Host,
    bounds,
    guest::{Guest, Stop},
};

impl Host for Guest {
    fn next_u64(&mut self) -> Result<u64, Stop> {
        self.spend(8)?;
        let mut bytes = [0; 8];
        self.calls.random(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn next_bytes(&mut self, count: u32) -> Result<Vec<u8>, Stop> {
        let drawn = bounds::drawn(count);
        // A refusal is a call, too.
        self.spend(drawn.as_ref().copied().unwrap_or_default())?;
        let count = drawn?;
        let mut bytes = vec![0; count];
        self.calls.random(&mut bytes)?;
        Ok(bytes)
    }
}
