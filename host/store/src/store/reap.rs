use super::{Store, lock};
use crate::Result;

impl Store {
    /// Removes saves whose writer is gone or whose time is over, and tells how many. Call it about every second.
    ///
    /// # Errors
    /// A file system that refuses.
    pub fn reap(&self) -> Result<usize> {
        let abandoned = self.abandoned(self.clock.now());
        let mut reaped = 0;
        for slot in abandoned {
            let save = lock(&slot).save.clone();
            // It may have been committed or aborted since.
            if self.end_aborted(&slot).is_ok() {
                tracing::warn!(run = %save.run, step = %save.step, rank = %save.rank, "a save was abandoned; removed");
                reaped += 1;
            }
        }
        if reaped > 0 {
            self.layout.empty_trash();
        }
        Ok(reaped)
    }
}
