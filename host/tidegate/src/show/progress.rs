use std::time::Duration;

use indicatif::ProgressBar;

use super::Out;

impl Out {
    /// Waits for something that may take long, with a spinner beside `what` on a terminal until it ends.
    pub(crate) async fn wait<T>(self, what: impl Into<String>, work: impl Future<Output = T>) -> T {
        // Where standard error is no terminal, indicatif draws nothing.
        let spinner = if self.json { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        spinner.set_message(what.into());
        spinner.tick();
        spinner.enable_steady_tick(Duration::from_millis(100));
        let outcome = work.await;
        spinner.finish_and_clear();
        outcome
    }
}
