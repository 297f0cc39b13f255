use tidegate_core::{Metrics, SaveId};

use crate::{Begin, Committed, Host, Result, Save, error::blocking};

impl Host {
    /// Admits a save; see [`tidegate_store::Store::begin`].
    ///
    /// # Errors
    /// No room, numbers that contradict what is known, a host that is stopping.
    pub async fn begin(&self, begin: Begin) -> Result<Save> {
        self.check_running()?;
        let store = self.0.store.clone();
        blocking(move || store.begin(begin)).await
    }

    /// Makes a save durable; see [`tidegate_store::Store::commit`].
    ///
    /// # Errors
    /// An unknown save, files that can't be committed, a failed sync.
    pub async fn commit(&self, id: &SaveId, metrics: Metrics) -> Result<Committed> {
        let (store, id) = (self.0.store.clone(), id.clone());
        blocking(move || store.commit(&id, metrics)).await
    }

    /// Gives a save its full time again.
    ///
    /// # Errors
    /// An unknown save.
    pub async fn touch(&self, id: &SaveId) -> Result<Save> {
        Ok(self.0.store.touch(id)?)
    }

    /// Gives a save up.
    ///
    /// # Errors
    /// An unknown save.
    pub async fn abort(&self, id: &SaveId) -> Result<()> {
        let (store, id) = (self.0.store.clone(), id.clone());
        blocking(move || store.abort(&id)).await
    }

    /// Saves in progress.
    pub fn saves(&self) -> Vec<Save> {
        self.0.store.saves()
    }
}
