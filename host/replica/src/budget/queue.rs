//! What has people waiting: a bucket, or a window of requests. The asynchronous part is the same for both.

use std::time::Duration;

/// Who asked; those who asked earlier have smaller ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ticket(pub(crate) u64);

/// What one is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) ticket: Ticket,
    pub(crate) urgency: u8,
    pub(crate) amount: u64,
}

/// A queue with a rule of whose turn it is. Times are those since some beginning and never go back.
pub(crate) trait Queue {
    /// Gets in line.
    fn ask(&mut self, now: Duration, urgency: u8, amount: u64) -> Ticket;

    /// Leaves the line without having been served.
    fn withdraw(&mut self, now: Duration, ticket: Ticket);

    /// Gives what can be given now; those who are given something have left the line.
    fn serve(&mut self, now: Duration) -> Vec<Grant>;

    /// Takes back what somebody was given who had gone by then. Units are not worth it; a slot is.
    fn refund(&mut self, _urgency: u8) {}

    /// Who is served next and when, if nothing changes; none where time alone brings nobody a turn.
    fn next(&self) -> Option<(Ticket, Duration)>;

    /// How many are in line.
    fn waiting(&self) -> usize;
}
