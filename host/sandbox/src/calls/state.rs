//! `state.wit`: the bot's own memory between events.

use crate::{
    bindings::tidegate::bot::state::Host,
    bounds,
    guest::{Guest, Stop},
};

impl Host for Guest {
    fn get(&mut self, key: String) -> Result<Option<Vec<u8>>, Stop> {
        self.spend(key.len())?;
        Ok(self.calls.state_get(bounds::key(&key)?)?)
    }

    fn set(&mut self, key: String, value: Vec<u8>) -> Result<(), Stop> {
        self.spend(key.len() + value.len())?;
        Ok(self.calls.state_set(bounds::key(&key)?, bounds::value(value)?)?)
    }

    fn delete(&mut self, key: String) -> Result<(), Stop> {
        self.spend(key.len())?;
        Ok(self.calls.state_delete(bounds::key(&key)?)?)
    }

    fn keys(&mut self, prefix: String, after: Option<String>) -> Result<Vec<String>, Stop> {
        self.spend(prefix.len() + after.as_ref().map_or(0, String::len))?;
        let after = after.as_deref().map(bounds::prefix).transpose()?;
        let mut keys = self.calls.state_keys(bounds::prefix(&prefix)?, after, bounds::PAGE)?;
        keys.truncate(bounds::PAGE as usize);
        Ok(keys)
    }
}
