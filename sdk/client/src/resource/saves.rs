use tidegate_api::{Begin, Commit, Committed, Page, Save};

use crate::{Client, Error, Paging, transport::Call};

impl Client {
    /// Begins a save: write any files below the `path` of the answer, then commit. Nothing is durable yet. A begin whose
    /// answer is lost leaves an empty directory, which the host removes.
    ///
    /// # Errors
    /// `TG0010` when the tier has no room, `TG0003` for a name or number out of its bounds.
    pub async fn begin(&self, begin: &Begin) -> Result<Save, Error> {
        self.ask(Call::post(&["v1", "saves"]).json(begin)?).await
    }

    /// Commits a save: when this returns, its files survive `kill -9` and power loss. May be called again.
    ///
    /// # Errors
    /// `TG0007` when the host does not know the save any more, `TG0008` when other bytes are committed for this rank.
    /// After a broken connection it may or may not be committed: call it again.
    pub async fn commit(&self, save_id: &str, commit: &Commit) -> Result<Committed, Error> {
        let call = Call::post(&["v1", "saves", save_id, "commit"]).json(commit)?;
        self.ask(call.timeout(self.options().commit_timeout)).await
    }

    /// Says that a save is still being written; the answer has its new deadline.
    ///
    /// # Errors
    /// `TG0007` when the host does not know the save.
    pub async fn touch(&self, save_id: &str) -> Result<Save, Error> {
        self.ask(Call::post(&["v1", "saves", save_id, "touch"])).await
    }

    /// Gives a save up; what was written is removed.
    ///
    /// # Errors
    /// `TG0007` when the host does not know the save.
    pub async fn abort(&self, save_id: &str) -> Result<(), Error> {
        self.tell(Call::new(hyper::Method::DELETE, &["v1", "saves", save_id])).await
    }

    /// A page of the saves in progress.
    ///
    /// # Errors
    /// The host can't be reached; a page token that is none.
    pub async fn saves(&self, paging: &Paging) -> Result<Page<Save>, Error> {
        self.ask(paging.on(Call::get(&["v1", "saves"]))).await
    }
}
