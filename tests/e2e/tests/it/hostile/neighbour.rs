//! The well-behaved neighbour: it counts the events that it sees, and sums up their places, in metrics that are committed
//! with its cursor. So both tell whether an event was left out or handled twice.

use std::fmt;

use tidegate_tests_support::guest;

use crate::bad_input::site::Site;

const NAME: &str = "neighbour";

/// Events that it handled, and the seconds that its handlers took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures {
    handled: u64,
    seconds: f64,
}

impl Figures {
    pub(super) fn since(&self, before: &Self) -> Self {
        Self { handled: self.handled - before.handled, seconds: self.seconds - before.seconds }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = self.seconds * 1e6 / self.handled.max(1) as f64;
        write!(f, "{each:.0} µs in the handler for each of {} events", self.handled)
    }
}

pub(super) struct Neighbour;

impl Neighbour {
    pub(super) fn install(site: &Site) -> Self {
        let top = r#"(import "tidegate:bot/metrics@0.2.0" "add" (func $add (param i32 i32 f64 i32)))
            (data (i32.const 1000) "events") (data (i32.const 1010) "places")"#;
        let body = "(if (i32.eq (local.get $what) (i32.const 1)) (then
            (call $add (i32.const 1000) (i32.const 6) (f64.const 1) (i32.const 64))
            (call $add (i32.const 1010) (i32.const 6) (f64.convert_i64_u (local.get $seq)) (i32.const 64))))";
        let plugin = site.plugin(&guest::component(top, body).unwrap());
        site.install(NAME, &plugin);
        Self
    }

    /// Events that wait for it.
    pub(super) fn lag(&self, site: &Site) -> u64 {
        site.bot(NAME).lag
    }

    /// Waits until it has seen all that there is, and tells what it has used.
    pub(super) fn even(&self, site: &Site) -> Figures {
        let bot = site.until_bot(NAME, "even with the journal", |bot| bot.lag == 0 && bot.handled > 0);
        assert_eq!((bot.state.as_str(), bot.faults), ("running", 0), "{bot:?}");
        Figures { handled: bot.handled, seconds: bot.ledger.wall_seconds }
    }

    pub(super) fn saw_every_event_once(&self, site: &Site) {
        self.even(site);
        let installed = site.all_events().into_iter().filter(|event| event.kind == "shard-committed");
        let places: Vec<u64> = installed.map(|event| event.seq).collect();
        let metrics = site.bot(NAME).metrics;
        assert_eq!(metrics["events"], places.len() as f64);
        assert_eq!(metrics["places"], places.iter().sum::<u64>() as f64);
    }
}
