use tidegate_core::{Code, Metrics, SaveId};

use crate::{Begin, Committed, Error, Host, Result, Save, error::blocking};

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

    /// Whether this user may end or prolong a save: its writer, the host's own user, and root.
    ///
    /// # Errors
    /// [`Code::OtherUser`].
    pub fn check_save_owner(&self, id: &SaveId, user: Option<u32>) -> Result<()> {
        self.0.store.save_owner(id).map_or(Ok(()), |owner| check_owner(&format!("save {id}"), owner, user))
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

/// Whether `user` may act on what belongs to `owner`.
pub(crate) fn check_owner(what: &str, owner: u32, user: Option<u32>) -> Result<()> {
    let own = rustix::process::geteuid().as_raw();
    if user.is_some_and(|user| user == owner || user == own || user == 0) {
        return Ok(());
    }
    let you = user.map_or_else(|| "of no known user".to_owned(), |user| format!("user {user}"));
    Err(Error::new(Code::OtherUser, format!("{what} belongs to user {owner} and you are {you}")))
}
