//! What a target may use: bytes up and down and requests a second, and requests on the way at once. Shared by all its
//! transfers; the pure parts are in [`bucket`] and [`window`].

mod bucket;
pub(crate) mod lane;
#[cfg(test)]
mod laws;
mod ledger;
mod queue;
mod slot;
mod tap;
#[cfg(test)]
mod tests;
mod window;

use std::{num::NonZeroU64, sync::Arc};

use bucket::Bucket;
pub(crate) use lane::Lane;
pub use ledger::{SLOT, Slot};
pub(crate) use slot::InFlight;
pub use tap::TapFigures;
use tap::{Tap, Units};
pub(crate) use window::Outcome;
use window::Window;

use crate::crew;

/// The largest piece that waits for its turn as one: a rate is smooth to this.
const PIECE: u64 = 64 << 10;
/// Pieces where there is no rate: small enough that one that is set now holds soon for what is on the way.
const UNBOUNDED_PIECE: u64 = 256 << 10;

/// What a target may use, over all its transfers. It can be changed while they run: [`crate::Target::set_limits`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes a second to the target, bodies of requests. None: no bound.
    pub upload_rate: Option<NonZeroU64>,
    /// Bytes a second from the target, bodies of answers, as they are taken in. On the wire they are ahead of that by what
    /// the kernel's receive buffers hold, some MiB a request at most. None: no bound.
    pub download_rate: Option<NonZeroU64>,
    /// Requests a second. None: no bound.
    pub requests: Option<NonZeroU64>,
}

impl Limits {
    /// Lower rates in bytes a second are not worth setting: of the twentieth that the less urgent get, eight connections
    /// would have less than a hundred bytes a second each, and servers drop those that stand still.
    pub const LEAST_RATE: u64 = 16 << 10;
}

/// Which of the rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// [`Limits::upload_rate`].
    Upload,
    /// [`Limits::download_rate`].
    Download,
    /// [`Limits::requests`].
    Requests,
}

/// How a target's budget is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many requests may be on the way now: fewer after the server was overrun, more after it answered.
    pub limit: usize,
    /// How many are.
    pub in_flight: usize,
    /// Requests that wait for a slot.
    pub queued: usize,
    /// Answers of `503` and `429`.
    pub throttled: u64,
    /// How often the limit was halved.
    pub cuts: u64,
    /// Bytes up.
    pub upload: TapFigures,
    /// Bytes down.
    pub download: TapFigures,
    /// Requests.
    pub requests: TapFigures,
}

/// The budget of one target.
#[derive(Debug)]
pub(crate) struct Budget {
    pub(crate) upload: Tap<Units>,
    pub(crate) download: Tap<Units>,
    pub(crate) requests: Tap<Units>,
    pub(crate) window: Tap<Window>,
}

impl Budget {
    /// With so many whole parts in flight at first; of small requests the window opens to as many more as weigh the same.
    pub(crate) fn new(limits: Limits, concurrency: usize) -> Arc<Self> {
        let tap = |rate: Option<NonZeroU64>| Tap::new(Bucket::new(rate.map(NonZeroU64::get)));
        Arc::new(Self {
            upload: tap(limits.upload_rate),
            download: tap(limits.download_rate),
            requests: tap(limits.requests),
            window: Tap::new(Window::new(concurrency, concurrency.saturating_mul(crew::WHOLE))),
        })
    }

    fn tap(&self, rate: Rate) -> &Tap<Units> {
        match rate {
            Rate::Upload => &self.upload,
            Rate::Download => &self.download,
            Rate::Requests => &self.requests,
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        let rate = |rate| self.tap(rate).peek(Bucket::rate).and_then(NonZeroU64::new);
        Limits { upload_rate: rate(Rate::Upload), download_rate: rate(Rate::Download), requests: rate(Rate::Requests) }
    }

    pub(crate) fn set_limits(&self, limits: Limits) {
        let set = |rate, limit: Option<NonZeroU64>| {
            self.tap(rate).change(|bucket, now| bucket.set_rate(now, limit.map(NonZeroU64::get)));
        };
        set(Rate::Upload, limits.upload_rate);
        set(Rate::Download, limits.download_rate);
        set(Rate::Requests, limits.requests);
    }

    pub(crate) fn slots(&self, rate: Rate) -> Vec<Slot> {
        self.tap(rate).slots()
    }

    pub(crate) fn figures(&self) -> Figures {
        let (limit, in_flight, (throttled, cuts)) =
            self.window.peek(|window| (window.limit(), window.flying(), window.throttled()));
        Figures {
            limit,
            in_flight,
            queued: self.window.figures().waiting,
            throttled,
            cuts,
            upload: self.upload.figures(),
            download: self.download.figures(),
            requests: self.requests.figures(),
        }
    }

    /// How many bytes to ask for next of so many.
    pub(crate) fn piece(&self, rate: Rate, lane: &Lane, left: u64) -> u64 {
        let of = |tap: &Tap<Units>| match tap.peek(|bucket| (bucket.rate(), bucket.piece())) {
            (None, _) => UNBOUNDED_PIECE,
            (Some(_), piece) => piece.min(PIECE),
        };
        let own = lane.own.as_deref().map_or(UNBOUNDED_PIECE, of);
        of(self.tap(rate)).min(own).min(left)
    }

    /// Waits for the turn of so many bytes.
    pub(crate) async fn take(&self, rate: Rate, lane: &Lane, bytes: u64) {
        // One's own first: nobody else's units are held while one waits for oneself.
        if let Some(own) = lane.own.as_deref().filter(|_| rate == Rate::Upload) {
            own.take(lane.urgency, bytes).await;
        }
        self.tap(rate).take(lane.urgency, bytes).await;
    }

    /// The same piece by piece, for what goes in one.
    pub(crate) async fn take_all(&self, rate: Rate, lane: &Lane, bytes: u64) {
        let mut left = bytes;
        while left > 0 {
            let piece = self.piece(rate, lane, left);
            self.take(rate, lane, piece).await;
            left -= piece;
        }
    }
}

/// A bound on one transfer's bytes a second.
pub(crate) fn own(rate: Option<u64>) -> Option<Arc<Tap<Units>>> {
    rate.map(|rate| Arc::new(Tap::new(Bucket::new(Some(rate.max(1))))))
}
