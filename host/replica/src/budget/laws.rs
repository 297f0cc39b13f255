//! The laws of the bucket, on random histories. Time is a number here: nothing waits.

use std::time::Duration;

use proptest::{collection::vec, prelude::*};

use super::{
    bucket::{Bucket, SHARE},
    queue::{Grant, Queue},
};

/// What happens to a bucket.
#[derive(Debug, Clone)]
enum Event {
    Ask {
        urgency: u8,
        amount: u64,
    },
    Rate(Option<u64>),
    /// The oldest who still waits goes away.
    Leave,
}

type At<T> = (Duration, T);

/// Everything that was granted, and every rate with the time from which it held.
#[derive(Debug, Default)]
struct History {
    grants: Vec<At<Grant>>,
    rates: Vec<At<Option<u64>>>,
    left: Vec<u64>,
}

impl History {
    /// Lets the time pass to `to`, with a timer for whoever is next.
    fn pass(&mut self, bucket: &mut Bucket, to: Duration) {
        while let Some((ticket, at)) = bucket.next()
            && at <= to
        {
            let granted = bucket.serve(at);
            assert_eq!(granted.first().map(|grant| grant.ticket), Some(ticket), "who is next is served, and on time");
            self.grants.extend(granted.into_iter().map(|grant| (at, grant)));
        }
    }

    /// Units that come in between two times.
    fn came(&self, from: Duration, to: Duration) -> f64 {
        let ends = self.rates.iter().skip(1).map(|(at, _)| *at).chain([Duration::MAX]);
        let during = self.rates.iter().zip(ends).map(|((begin, rate), end)| match rate {
            // Also for no time at all: all who wait go at once.
            None if *begin <= to && end >= from => f64::INFINITY,
            None => 0.0,
            Some(rate) => *rate as f64 * to.min(end).saturating_sub(from.max(*begin)).as_secs_f64(),
        });
        during.sum()
    }
}

fn run(first: Option<u64>, events: &[At<Event>], end: Duration) -> History {
    let mut bucket = Bucket::new(first);
    let mut history = History { rates: vec![(Duration::ZERO, first)], ..History::default() };
    let mut waiting = Vec::new();
    for (at, event) in events {
        history.pass(&mut bucket, *at);
        match event {
            Event::Ask { urgency, amount } => waiting.push(bucket.ask(*at, *urgency, *amount)),
            Event::Rate(rate) => {
                bucket.set_rate(*at, *rate);
                history.rates.push((*at, *rate));
            }
            Event::Leave => {
                waiting.retain(|ticket| history.grants.iter().all(|(_, grant)| grant.ticket != *ticket));
                if !waiting.is_empty() {
                    let ticket = waiting.remove(0);
                    bucket.withdraw(*at, ticket);
                    history.left.push(ticket.0);
                }
            }
        }
    }
    history.pass(&mut bucket, end);
    history
}

/// Times in milliseconds, in order.
fn events(rates: bool) -> impl Strategy<Value = Vec<At<Event>>> {
    let ask = (0_u8..4, 1_u64..200_000).prop_map(|(urgency, amount)| Event::Ask { urgency, amount });
    let rate = prop_oneof![1 => Just(None), 6 => (1_000_u64..50_000_000).prop_map(Some)];
    let event = prop_oneof![
        20 => ask,
        if rates { 3 } else { 0 } => rate.prop_map(Event::Rate),
        1 => Just(Event::Leave),
    ];
    vec((0_u64..500, event), 1..80).prop_map(|steps| {
        let mut now = Duration::ZERO;
        let at = |(after, event)| {
            now += Duration::from_millis(after);
            (now, event)
        };
        steps.into_iter().map(at).collect()
    })
}

const END: Duration = Duration::from_secs(1 << 24);

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is asked for and however the rate changes.
    #[test]
    fn no_window_gets_more_than_the_rate_and_a_burst(first in 1_000_u64..50_000_000, events in events(true)) {
        let history = run(Some(first), &events, END);
        let rates = history.rates.iter().filter_map(|(_, rate)| *rate);
        let burst = rates.map(|rate| (rate / 20).max(1)).max().unwrap_or(1);
        let largest = history.grants.iter().map(|(_, grant)| grant.amount).max().unwrap_or(0);
        for (from, (begin, _)) in history.grants.iter().enumerate() {
            let mut sum = 0;
            for (at, grant) in &history.grants[from..] {
                sum += grant.amount;
                let most = history.came(*begin, *at) + burst.max(largest) as f64;
                prop_assert!(sum as f64 <= most * 1.000_001, "{sum} from {begin:?} to {at:?}, at most {most}");
            }
        }
    }

    /// Everybody who does not go away is served, once; who goes away is not.
    #[test]
    fn all_are_served_once(first in 1_000_u64..50_000_000, events in events(true)) {
        let history = run(Some(first), &events, END);
        let asked = events.iter().filter(|(_, event)| matches!(event, Event::Ask { .. })).count() as u64;
        let mut served: Vec<u64> = history.grants.iter().map(|(_, grant)| grant.ticket.0).collect();
        served.extend(&history.left);
        served.sort_unstable();
        prop_assert_eq!(served, (0..asked).collect::<Vec<_>>());
    }

}

proptest! {
    // Long histories.
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Pieces of a sensible size that all wait from the start: every second of theirs gets the rate within 5 %.
    #[test]
    fn every_second_with_somebody_in_line_gets_the_rate(rate in 100_000_u64..1_000_000_000, mixed in any::<bool>()) {
        let amount = Bucket::new(Some(rate)).piece().min(64 << 10);
        let count = (3 * rate).div_ceil(amount).min(50_000);
        let ask = |nth| (Duration::ZERO, Event::Ask { urgency: if mixed { (nth % 3) as u8 } else { 0 }, amount });
        let events: Vec<_> = (0..count).map(ask).collect();
        let history = run(Some(rate), &events, END);
        let last = history.grants.last().unwrap().0;
        for nth in 0..20 {
            let from = Duration::from_millis(100 * nth);
            let to = from + Duration::from_secs(1);
            if to > last {
                break;
            }
            let got: u64 = history.grants.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, g)| g.amount).sum();
            let part = got as f64 / rate as f64;
            prop_assert!((0.95..=1.05).contains(&part), "{part} of {rate} from {from:?}");
        }
    }

    /// Two backlogs: the urgent one gets all but its twentieth, the other one no less than that.
    #[test]
    fn the_urgent_go_first_and_none_starves(rate in 200_000_u64..100_000_000) {
        let amount = Bucket::new(Some(rate)).piece().min(64 << 10);
        let seconds = 20_000 * amount / rate / 2;
        let backlog = |urgency| (0..20_000).map(move |_| (Duration::ZERO, Event::Ask { urgency, amount }));
        let events: Vec<_> = backlog(3).chain(backlog(10)).collect();
        let history = run(Some(rate), &events, Duration::from_secs(seconds));
        let (mut urgent, mut other) = (0, 0);
        for (at, grant) in &history.grants {
            *if grant.urgency == 10 { &mut urgent } else { &mut other } += grant.amount;
            let came = rate as f64 * at.as_secs_f64();
            prop_assert!(other as f64 <= came / SHARE as f64 + amount as f64, "{other} of {came}");
            prop_assert!(other as f64 >= came / SHARE as f64 - 2.0 * amount as f64, "{other} of {came}");
            prop_assert!(urgent as f64 >= came * (1.0 - 1.0 / SHARE as f64) - 2.0 * amount as f64, "{urgent} of {came}");
        }
    }

    /// A wait that began under one rate ends as the new one says.
    #[test]
    fn a_new_rate_holds_for_who_waits(slow in 1_000_u64..20_000, fast in 1_000_000_u64..1_000_000_000) {
        let ask = (Duration::ZERO, Event::Ask { urgency: 0, amount: 40_000 });
        let change = Duration::from_millis(10);
        let history = run(Some(slow), &[ask.clone(), ask.clone(), (change, Event::Rate(Some(fast)))], END);
        let last = history.grants[1].0;
        // The first needs a burst, at most 40,000 units, and may go into debt; the second the same and the debt.
        prop_assert!(last <= change + Duration::from_secs_f64(82_000.0 / fast as f64), "{last:?}");
        let freed = run(Some(slow), &[ask.clone(), ask, (change, Event::Rate(None))], END);
        prop_assert!(freed.grants[1].0 <= change, "{freed:?}");
    }
}
