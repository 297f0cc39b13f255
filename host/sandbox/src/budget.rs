//! How much a bot may ask of the host in one event.

use crate::Options;

/// Calls and bytes that are left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    calls: u32,
    bytes: usize,
    most_calls: u32,
    most_bytes: usize,
    /// What was noted beyond it.
    over: Option<OverBudget>,
}

/// A bot that asked too much; it ends the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OverBudget {
    /// Too many calls.
    #[error("more than {0} host calls in one event")]
    Calls(u32),
    /// Too many bytes.
    #[error("more than {0} bytes handed to the host in one event")]
    Bytes(usize),
}

impl Budget {
    /// A whole budget.
    pub(crate) fn new(options: &Options) -> Self {
        let (calls, bytes) = (options.host_calls, options.bytes_per_event);
        Self { calls, bytes, most_calls: calls, most_bytes: bytes, over: None }
    }

    /// Takes one call with so many bytes from it.
    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), OverBudget> {
        self.check()?;
        self.calls = self.calls.checked_sub(1).ok_or(OverBudget::Calls(self.most_calls))?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or(OverBudget::Bytes(self.most_bytes))?;
        Ok(())
    }

    /// Takes calls and bytes from it where none can be refused any more: what comes later is.
    pub(crate) fn note(&mut self, calls: u32, bytes: usize) {
        if calls > self.calls {
            self.over = self.over.or(Some(OverBudget::Calls(self.most_calls)));
        } else if bytes > self.bytes {
            self.over = self.over.or(Some(OverBudget::Bytes(self.most_bytes)));
        }
        (self.calls, self.bytes) = (self.calls.saturating_sub(calls), self.bytes.saturating_sub(bytes));
    }

    /// Whether no more was noted than there was.
    pub(crate) fn check(&self) -> Result<(), OverBudget> {
        self.over.map_or(Ok(()), Err)
    }

    /// Calls made so far.
    pub(crate) fn calls_made(&self) -> u32 {
        self.most_calls - self.calls
    }

    /// Bytes handed over so far.
    pub(crate) fn bytes_spent(&self) -> usize {
        self.most_bytes - self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_refused_is_noted_and_ends_what_comes_later() {
        let mut budget = Budget::new(&Options { host_calls: 3, bytes_per_event: 10, ..Options::default() });
        budget.note(2, 10);
        assert_eq!((budget.check(), budget.calls_made(), budget.bytes_spent()), (Ok(()), 2, 10));
        budget.note(0, 1);
        assert_eq!((budget.check(), budget.spend(0)), (Err(OverBudget::Bytes(10)), Err(OverBudget::Bytes(10))));
        budget.note(5, 0);
        assert_eq!((budget.check(), budget.calls_made()), (Err(OverBudget::Bytes(10)), 3));
    }

    #[test]
    fn calls_and_bytes_run_out() {
        let mut budget = Budget::new(&Options { host_calls: 3, bytes_per_event: 10, ..Options::default() });
        assert_eq!(budget.spend(6), Ok(()));
        assert_eq!(budget.spend(5), Err(OverBudget::Bytes(10)));
        assert_eq!(budget.spend(4), Ok(()));
        assert_eq!(budget.spend(0), Err(OverBudget::Calls(3)));
        assert_eq!((budget.calls_made(), budget.bytes_spent()), (3, 10));
    }
}
