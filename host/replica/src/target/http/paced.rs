//! A body, of a request or of an answer, that goes at the target's rate: piece by piece, each when its turn has come.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use object_store::client::{HttpError, HttpErrorKind};
use tokio::time::{Instant, Sleep, sleep_until};

use super::patience::{Expired, Patience};
use crate::budget::{Budget, InFlight, Lane, Outcome, Rate};

/// Whose turn, at which rate.
#[derive(Debug, Clone)]
pub(super) struct Pacer {
    pub(super) budget: Arc<Budget>,
    pub(super) lane: Lane,
    pub(super) rate: Rate,
    pub(super) patience: Patience,
}

/// A turn that is waited for, and the bytes that then may go.
type Turn = (usize, Pin<Box<dyn Future<Output = ()> + Send + Sync>>);

/// A body at a rate.
pub(super) struct Paced<B> {
    inner: B,
    pacer: Pacer,
    /// What has come and may not go on yet.
    held: Bytes,
    turn: Option<Turn>,
    /// Of an answer: what it keeps until its last byte.
    answer: Option<Answer>,
}

struct Answer {
    slot: InFlight,
    deadline: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<B: Body<Data = Bytes, Error = HttpError> + Unpin> Paced<B> {
    /// The body of a request, whose time is looked after elsewhere.
    pub(super) fn request(inner: B, pacer: Pacer) -> Self {
        Self { inner, pacer, held: Bytes::new(), turn: None, answer: None }
    }

    /// The body of an answer: it frees its slot when it has come, or failed, or is dropped.
    pub(super) fn answer(inner: B, pacer: Pacer, slot: InFlight, deadline: Option<Duration>) -> Self {
        let ended = inner.is_end_stream();
        let answer = Answer { slot, deadline: deadline.unwrap_or(Duration::MAX), timer: None };
        Self { inner, pacer, held: Bytes::new(), turn: None, answer: (!ended).then_some(answer) }
    }

    /// Waits for the turn of the first piece of what is held.
    fn line_up(&mut self) {
        let Pacer { budget, lane, rate, patience } = self.pacer.clone();
        let piece = budget.piece(rate, &lane, self.held.len() as u64);
        let len = usize::try_from(piece).unwrap_or(usize::MAX).min(self.held.len());
        patience.waits();
        self.turn = Some((len, Box::pin(async move { budget.take(rate, &lane, piece).await })));
    }

    /// Whether an answer has taken too long.
    fn expired(&mut self, context: &mut Context<'_>) -> Option<HttpError> {
        let answer = self.answer.as_mut()?;
        let due = self.pacer.patience.due()?;
        let timer = answer.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        if timer.as_mut().poll(context).is_pending() || due > Instant::now() {
            return None;
        }
        answer.slot.learned(Outcome::TimedOut);
        Some(HttpError::new(HttpErrorKind::Timeout, Expired(answer.deadline)))
    }
}

impl<B: Body<Data = Bytes, Error = HttpError> + Unpin> Body for Paced<B> {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let this = self.get_mut();
        loop {
            if let Some((len, turn)) = &mut this.turn {
                ready!(turn.as_mut().poll(context));
                let piece = this.held.split_to((*len).min(this.held.len()));
                this.turn = None;
                this.pacer.patience.goes_on();
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            if !this.held.is_empty() {
                this.line_up();
                continue;
            }
            let ended = match Pin::new(&mut this.inner).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) => {
                        this.held = bytes;
                        continue;
                    }
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                Poll::Ready(ended) => ended,
                Poll::Pending => match this.expired(context) {
                    None => return Poll::Pending,
                    Some(error) => Some(Err(error)),
                },
            };
            // A caller may go on to the next request before it drops this one.
            this.answer = None;
            return Poll::Ready(ended);
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_empty() && self.turn.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, held) = (self.inner.size_hint(), self.held.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + held);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + held);
        }
        hint
    }
}
