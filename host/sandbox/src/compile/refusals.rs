//! Components that were refused: the same bytes, sent again, must not take the compiler's time again from all others.
//! Kept in memory only: a restarted host, which may have other bounds, tries everything anew.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tidegate_core::Digest;

use crate::Error;

/// Components that are remembered; the one that was refused first goes first.
const MOST: usize = 64;
/// How long what may have had to do with this machine's state is taken for the component's doing.
const WHILE: Duration = Duration::from_secs(600);

/// What was refused, and why.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<VecDeque<Refused>>);

#[derive(Debug)]
struct Refused {
    component: Digest,
    why: Error,
    /// None: for good.
    until: Option<Duration>,
}

impl Refusals {
    /// Notes a refusal, if the same bytes would be refused again.
    pub(super) fn note(&self, component: Digest, why: &Error, now: Duration) {
        let until = match why {
            Error::Version { .. }
            | Error::Import(_)
            | Error::Manifest(_)
            | Error::Worlds { .. }
            | Error::Undeclared(_)
            | Error::CodeTooLarge(_) => None,
            // A busy machine is slow, and one without room fails where it would not have.
            Error::Invalid(_)
            | Error::World(_)
            | Error::CompileTimedOut(_)
            | Error::CompileTooLarge(_)
            | Error::CompilerDied { .. } => Some(now.saturating_add(WHILE)),
            _ => return,
        };
        let mut refused = self.lock();
        refused.retain(|it| it.component != component);
        if refused.len() >= MOST {
            refused.pop_front();
        }
        refused.push_back(Refused { component, why: why.clone().plain(), until });
    }

    /// Whether these bytes are tried.
    ///
    /// # Errors
    /// Why they were refused; [`Error::RefusedLately`] where a later try may go otherwise.
    pub(super) fn check(&self, component: Digest, now: Duration) -> Result<(), Error> {
        let mut refused = self.lock();
        refused.retain(|it| it.until.is_none_or(|until| now < until));
        let Some(it) = refused.iter().find(|it| it.component == component) else { return Ok(()) };
        let why = it.why.clone();
        Err(match (it.until, &why) {
            (Some(until), Error::CompileTimedOut(_) | Error::CompileTooLarge(_) | Error::CompilerDied { .. }) => {
                Error::RefusedLately { why: Box::new(why), left: until.saturating_sub(now) }
            }
            _ => why,
        })
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Refused>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(1000);

    fn digest(nth: usize) -> Digest {
        Digest::of(&nth.to_be_bytes())
    }

    #[test]
    fn what_the_bytes_alone_decide_is_refused_for_good_and_in_the_same_words() {
        let refusals = Refusals::default();
        let why = Error::Import("wasi:sockets".into());
        refusals.note(digest(1), &why, START);
        assert_eq!(refusals.check(digest(1), START * 100), Err(why));
        assert_eq!(refusals.check(digest(2), START), Ok(()));
    }

    #[test]
    fn what_was_killed_is_tried_again_after_a_while() {
        let refusals = Refusals::default();
        let why = Error::CompileTimedOut(Duration::from_secs(60));
        refusals.note(digest(1), &why, START);
        let left = WHILE - Duration::from_secs(90);
        let lately = Error::RefusedLately { why: Box::new(why), left };
        assert!(lately.blames_component() && lately.to_string().ends_with("it is tried again after 510s"), "{lately}");
        assert_eq!(refusals.check(digest(1), START + Duration::from_secs(90)), Err(lately));
        assert_eq!(refusals.check(digest(1), START + WHILE), Ok(()));
    }

    #[test]
    fn the_hosts_own_troubles_are_not_remembered() {
        let refusals = Refusals::default();
        for why in [Error::CompilerBusy(16), Error::CompilerStopped, Error::Compiler("no fork".into())] {
            refusals.note(digest(1), &why, START);
            assert_eq!(refusals.check(digest(1), START), Ok(()));
        }
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let refusals = Refusals::default();
        let why = Error::Import("wasi:sockets".into());
        (0..=MOST).for_each(|nth| refusals.note(digest(nth), &why, START));
        refusals.note(digest(MOST), &why, START);
        assert_eq!(refusals.lock().len(), MOST);
        assert_eq!(refusals.check(digest(0), START), Ok(()));
        assert!(refusals.check(digest(1), START).is_err() && refusals.check(digest(MOST), START).is_err());
    }
}
