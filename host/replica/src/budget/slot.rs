//! A request's place among those on the way.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep_until;

use super::{Budget, Lane, Outcome};

/// A slot, from before a request is sent to the last byte of its answer. Dropping it frees it.
#[derive(Debug)]
pub(crate) struct InFlight {
    budget: Arc<Budget>,
    urgency: u8,
    sent: Duration,
}

impl InFlight {
    /// Waits for a slot, for the turn of a request, and for the time that the server has asked for.
    pub(crate) async fn begin(budget: &Arc<Budget>, lane: &Lane) -> Self {
        let window = &budget.window;
        window.take(lane.urgency, 1).await;
        let mut slot = Self { budget: Arc::clone(budget), urgency: lane.urgency, sent: Duration::ZERO };
        loop {
            budget.requests.take(lane.urgency, 1).await;
            slot.sent = window.now();
            let held = window.peek(super::Window::held_until);
            if held <= slot.sent {
                return slot;
            }
            // Told while this one waited. Its turn is forfeited: after the pause the rate must hold too.
            sleep_until(window.instant(held)).await;
        }
    }

    /// Notes what came of it.
    pub(crate) fn learned(&self, outcome: Outcome) {
        self.budget.window.change(|window, now| window.learned(now, self.sent, outcome));
    }

    /// Gives the slot back and waits until the server wants to hear of us again.
    pub(crate) async fn pause(self) {
        let budget = Arc::clone(&self.budget);
        drop(self);
        let held = budget.window.peek(super::Window::held_until);
        sleep_until(budget.window.instant(held)).await;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.budget.window.change(|window, _| window.landed(self.urgency));
    }
}
