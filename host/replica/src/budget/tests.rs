//! The window of requests, and both queues as one waits in them.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, advance};

use super::{
    Bucket, Budget, InFlight, Lane, Limits, Outcome, Rate,
    queue::Queue,
    tap::Tap,
    window::{LONGEST, Window},
};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Sends as many as are admitted, each at the same time; returns how many.
fn send(window: &mut Window, now: Duration, urgency: u8, count: usize) -> usize {
    let tickets: Vec<_> = (0..count).map(|_| window.ask(now, urgency, 1)).collect();
    let sent = window.serve(now).len();
    tickets.into_iter().for_each(|ticket| window.withdraw(now, ticket));
    sent
}

/// A round trip of as many requests as there may be.
fn round(window: &mut Window, at: Duration, outcome: Outcome) -> usize {
    let sent = send(window, at, 0, 1000);
    for _ in 0..sent {
        window.learned(at + ms(10), at, outcome);
    }
    (0..sent).for_each(|_| window.landed(0));
    sent
}

#[test]
fn the_window_opens_by_doubling_and_then_adds_one_a_round() {
    let mut window = Window::new(4, 64);
    let answered = |window: &mut Window, at| round(window, at, Outcome::Answered);
    assert_eq!(answered(&mut window, ms(0)), 4);
    let opened = answered(&mut window, ms(100));
    assert!((5..=8).contains(&opened), "{opened}");
    for nth in 2..40 {
        answered(&mut window, ms(100 * nth));
    }
    assert_eq!(window.limit(), 64, "and no further than its most");
    round(&mut window, ms(5000), Outcome::Throttled(None));
    assert_eq!(window.limit(), 32, "a whole round of refusals halves it once");
    for nth in 0..4 {
        let before = window.limit();
        answered(&mut window, ms(6000 + 100 * nth));
        assert_eq!(window.limit(), before + 1);
    }
}

#[test]
fn every_round_of_refusals_halves_it_down_to_one() {
    let mut window = Window::new(8, 64);
    let limits = [0, 1, 2, 3, 4].map(|nth| {
        let outcome = if nth % 2 == 0 { Outcome::TimedOut } else { Outcome::Throttled(None) };
        round(&mut window, ms(100 * nth), outcome);
        window.limit()
    });
    assert_eq!(limits, [4, 2, 1, 1, 1]);
    assert_eq!(window.flying(), 0);
    assert_eq!(window.throttled().1, 5);
}

#[test]
fn a_broken_connection_says_nothing_of_the_load() {
    let mut window = Window::new(8, 64);
    round(&mut window, ms(0), Outcome::Lost);
    assert_eq!(window.limit(), 8);
}

#[test]
fn it_does_not_grow_while_it_is_not_made_use_of() {
    let mut window = Window::new(8, 64);
    for nth in 0..100 {
        assert_eq!(send(&mut window, ms(nth * 20), 0, 1), 1);
        window.learned(ms(nth * 20 + 10), ms(nth * 20), Outcome::Answered);
        window.landed(0);
    }
    assert_eq!(window.limit(), 8);
}

#[test]
fn nothing_leaves_before_the_server_wants_it_and_no_server_is_followed_for_hours() {
    let mut window = Window::new(8, 64);
    assert_eq!(send(&mut window, ms(0), 0, 1), 1);
    window.learned(ms(10), ms(0), Outcome::Throttled(Some(ms(2000))));
    assert_eq!((send(&mut window, ms(2009), 10, 1), send(&mut window, ms(2010), 0, 1)), (0, 1));
    window.learned(ms(3000), ms(2010), Outcome::Throttled(Some(ms(1 << 40))));
    assert_eq!(window.held_until(), ms(3000) + LONGEST);
}

#[test]
fn the_urgent_do_not_wait_for_the_slots_of_others_and_each_urgency_has_one() {
    let mut window = Window::new(4, 4);
    assert_eq!(send(&mut window, ms(0), 0, 10), 4);
    assert_eq!(send(&mut window, ms(0), 10, 10), 4, "their own limit");
    assert_eq!(send(&mut window, ms(0), 5, 10), 1, "one, though four more urgent ones are on the way");
    window.landed(10);
    assert_eq!(send(&mut window, ms(0), 0, 1), 0);
    assert_eq!(send(&mut window, ms(0), 10, 2), 1);
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_served_in_order_and_who_goes_away_is_forgotten() {
    let tap = Arc::new(Tap::new(Bucket::new(Some(1000))));
    let (began, order) = (Instant::now(), Arc::new(std::sync::Mutex::new(Vec::new())));
    let taker = |name: &'static str, urgency, amount| {
        let (tap, order) = (Arc::clone(&tap), Arc::clone(&order));
        tokio::spawn(async move {
            tap.take(urgency, amount).await;
            order.lock().unwrap().push((name, began.elapsed().as_millis()));
        })
    };
    let first = taker("first", 0, 50);
    tokio::task::yield_now().await;
    let gone = taker("gone", 0, 50);
    let bulk = taker("bulk", 0, 50);
    tokio::task::yield_now().await;
    let urgent = taker("urgent", 10, 50);
    tokio::task::yield_now().await;
    gone.abort();
    for task in [first, bulk, urgent] {
        task.await.unwrap();
    }
    let order = order.lock().unwrap().clone();
    assert_eq!(order.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["urgent", "first", "bulk"]);
    let late = |at: u128, due: u128| (due..due + 3).contains(&at);
    assert!(order.iter().zip([50, 100, 150]).all(|((_, at), due)| late(*at, due)), "{order:?}");
    let figures = tap.figures();
    assert_eq!((figures.granted, figures.waits, figures.waiting), (150, 3, 0));
    let slots: Vec<_> = tap.slots().iter().map(|slot| (slot.urgent, slot.other)).collect();
    assert_eq!(slots, [(50, 0), (0, 100)]);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_is_lifted_lets_everybody_go() {
    let limits = Limits { upload_rate: 1.try_into().ok(), ..Limits::default() };
    let budget = Budget::new(limits, 8);
    let task = tokio::spawn({
        let budget = Arc::clone(&budget);
        async move { budget.take_all(Rate::Upload, &Lane::default(), 1 << 30).await }
    });
    advance(ms(100)).await;
    assert!(!task.is_finished() && budget.limits() == limits);
    budget.set_limits(Limits::default());
    task.await.unwrap();
    assert_eq!(budget.figures().upload.granted, 1 << 30);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_called_off_gives_its_slot_back() {
    let budget = Budget::new(Limits { requests: 2.try_into().ok(), ..Limits::default() }, 1);
    let lane = Lane::default();
    let first = InFlight::begin(&budget, &lane).await;
    let waits = |budget: &Arc<Budget>| {
        let (budget, lane) = (Arc::clone(budget), lane.clone());
        tokio::spawn(async move { drop(InFlight::begin(&budget, &lane).await) })
    };
    let (second, third) = (waits(&budget), waits(&budget));
    advance(ms(1)).await;
    assert_eq!((budget.figures().in_flight, budget.figures().queued), (1, 2));
    // Its slot is given to the second, which is gone before it looks.
    drop(first);
    second.abort();
    third.await.unwrap();
    assert_eq!((budget.figures().in_flight, budget.figures().queued), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn requests_keep_to_their_rate_and_to_the_pause_that_was_asked_for_meanwhile() {
    let budget = Budget::new(Limits { requests: 10.try_into().ok(), ..Limits::default() }, 8);
    let (began, lane) = (Instant::now(), Lane::default());
    let first = InFlight::begin(&budget, &lane).await;
    let sent = began.elapsed();
    assert!(sent >= ms(100) && sent < ms(110), "{sent:?}");
    let second = tokio::spawn({
        let (budget, lane) = (Arc::clone(&budget), lane.clone());
        async move {
            let _slot = InFlight::begin(&budget, &lane).await;
            began.elapsed()
        }
    });
    tokio::task::yield_now().await;
    first.learned(Outcome::Throttled(Some(ms(5000))));
    first.pause().await;
    assert!(began.elapsed() >= ms(5100));
    assert!(second.await.unwrap() >= ms(5100));
    assert_eq!(budget.figures().throttled, 1);
}
