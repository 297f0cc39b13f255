//! What goes wrong, and when: a seeded plan, decided for each request in the order of arrival.

use std::{collections::BTreeMap, fmt, time::Duration};

use fastrand::Rng;
use tokio::time::Instant;

/// One thing that goes wrong with a request or its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// `503 SlowDown` with the XML body of S3; the server never sees the request.
    SlowDown {
        /// The value of `Retry-After` in seconds; none sends no such header.
        retry_after: Option<u32>,
    },
    /// The connection is reset when the request's head was read; the server never sees it.
    ResetBeforeRequest,
    /// The server did what was asked, and the connection is reset before the client hears of it.
    ResetBeforeResponse,
    /// The connection is reset in the middle of the answer's body.
    ResetDuringResponse,
    /// The answer's head promises more bytes than come before the connection is closed in good order.
    TruncateResponse,
    /// One byte of the answer's body is not what the server sent.
    CorruptResponse,
    /// One byte of the request's body is not what the client sent.
    CorruptRequest,
    /// The request waits before it goes on. A delay comes on top of other faults.
    Delay(Duration),
}

impl Fault {
    /// Its name in [`Counts`].
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::SlowDown { .. } => "slow_down",
            Self::ResetBeforeRequest => "reset_before_request",
            Self::ResetBeforeResponse => "reset_before_response",
            Self::ResetDuringResponse => "reset_during_response",
            Self::TruncateResponse => "truncate_response",
            Self::CorruptResponse => "corrupt_response",
            Self::CorruptRequest => "corrupt_request",
            Self::Delay(_) => "delay",
        }
    }
}

/// Which of the requests that a rule matches it applies to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// Every one.
    Always,
    /// Each with this probability, from 0 to 1.
    Probability(f64),
    /// The nth only, counted from 1.
    Nth(u64),
    /// The first n.
    First(u64),
    /// Those that come while more than n requests, with these, are on the way: a server that bears so many at a time.
    Beyond(usize),
}

/// A fault, the requests that it is for, and when it happens to them.
#[derive(Clone, Debug)]
pub struct Rule {
    fault: Fault,
    when: When,
    method: Option<String>,
    target: String,
}

impl Rule {
    /// A rule for every request.
    #[must_use]
    pub fn new(fault: Fault, when: When) -> Self {
        Self { fault, when, method: None, target: String::new() }
    }

    /// For requests with this method only.
    #[must_use]
    pub fn method(self, method: &str) -> Self {
        Self { method: Some(method.to_owned()), ..self }
    }

    /// For requests only whose path and query contain `part`.
    #[must_use]
    pub fn target(self, part: &str) -> Self {
        Self { target: part.to_owned(), ..self }
    }

    fn matches(&self, method: &str, target: &str) -> bool {
        self.method.as_deref().is_none_or(|m| m == method) && target.contains(&self.target)
    }
}

/// Rules and the seed of their chances. The first rule that applies to a request decides its fault.
#[derive(Clone, Debug, Default)]
pub struct FaultPlan {
    seed: u64,
    rules: Vec<Rule>,
}

impl FaultPlan {
    /// A plan without faults. The same seed and the same order of requests give the same faults; a client with
    /// several connections does not give the same order.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, rules: Vec::new() }
    }

    /// Adds a rule behind the others.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }
}

/// How many requests came, and how often each fault was injected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests whose head was read.
    pub requests: u64,
    /// Of these, those that came before the time that a `Retry-After` had asked for.
    pub early: u64,
    /// The most that were on the way at once.
    pub most: usize,
    faults: BTreeMap<&'static str, u64>,
}

impl Counts {
    /// How often the fault of this [`Fault::name`] was injected.
    #[must_use]
    pub fn of(&self, name: &str) -> u64 {
        self.faults.get(name).copied().unwrap_or(0)
    }

    /// All faults together, delays apart.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.faults.iter().filter(|(name, _)| **name != "delay").map(|(_, n)| n).sum()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests", self.requests)?;
        self.faults.iter().try_for_each(|(name, n)| write!(f, ", {name} {n}"))
    }
}

/// What happens to one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) delay: Option<Duration>,
    pub(super) fault: Option<Fault>,
    /// Where in a body the fault strikes, as parts of 65,536 of its length.
    pub(super) place: u16,
}

/// A plan at work.
#[derive(Debug)]
pub(super) struct Decider {
    rng: Rng,
    rules: Vec<(Rule, u64)>,
    pub(super) counts: Counts,
    flying: usize,
    quiet: Option<Instant>,
}

impl Decider {
    pub(super) fn new(plan: FaultPlan) -> Self {
        let mut decider =
            Self { rng: Rng::new(), rules: Vec::new(), counts: Counts::default(), flying: 0, quiet: None };
        decider.replace(plan);
        decider
    }

    pub(super) fn replace(&mut self, plan: FaultPlan) {
        self.rng = Rng::with_seed(plan.seed);
        self.rules = plan.rules.into_iter().map(|rule| (rule, 0)).collect();
    }

    /// Decides for the next request.
    pub(super) fn decide(&mut self, method: &str, target: &str) -> Verdict {
        self.counts.requests += 1;
        self.counts.early += u64::from(self.quiet.is_some_and(|until| Instant::now() < until));
        self.flying += 1;
        self.counts.most = self.counts.most.max(self.flying);
        let mut verdict = Verdict { place: self.rng.u16(..), ..Verdict::default() };
        for (rule, seen) in &mut self.rules {
            if !rule.matches(method, target) {
                continue;
            }
            *seen += 1;
            let applies = match rule.when {
                When::Always => true,
                When::Probability(p) => self.rng.f64() < p,
                When::Nth(n) => *seen == n,
                When::First(n) => *seen <= n,
                When::Beyond(n) => self.flying > n,
            };
            match &rule.fault {
                _ if !applies => {}
                Fault::Delay(time) => verdict.delay = Some(verdict.delay.unwrap_or_default() + *time),
                fault if verdict.fault.is_none() => verdict.fault = Some(fault.clone()),
                _ => {}
            }
        }
        verdict
    }

    /// A request that was decided on has ended.
    pub(super) fn ended(&mut self) {
        self.flying = self.flying.saturating_sub(1);
    }

    /// From now on requests are early for so long.
    pub(super) fn quiet(&mut self, seconds: u32) {
        let until = Instant::now() + Duration::from_secs(seconds.into());
        self.quiet = self.quiet.max(Some(until));
    }

    /// Counts what was really injected: a body of no bytes cannot be corrupted.
    pub(super) fn injected(&mut self, fault: &Fault) {
        *self.counts.faults.entry(fault.name()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(plan: FaultPlan, requests: &[(&str, &str)]) -> Vec<Option<Fault>> {
        let mut decider = Decider::new(plan);
        requests.iter().map(|(method, target)| decider.decide(method, target).fault).collect()
    }

    #[test]
    fn the_nth_is_counted_among_the_requests_that_match() {
        let rule = Rule::new(Fault::ResetBeforeRequest, When::Nth(2)).method("PUT").target("/b/x");
        let requests = [("GET", "/b/x"), ("PUT", "/b/x1"), ("PUT", "/b/y"), ("PUT", "/b/x2"), ("PUT", "/b/x3")];
        let faults = decide(FaultPlan::new(1).rule(rule), &requests);
        assert_eq!(faults, [None, None, None, Some(Fault::ResetBeforeRequest), None]);
    }

    #[test]
    fn the_first_rule_that_applies_decides() {
        let plan = FaultPlan::new(1)
            .rule(Rule::new(Fault::CorruptResponse, When::First(1)))
            .rule(Rule::new(Fault::TruncateResponse, When::Always));
        let faults = decide(plan, &[("GET", "/"), ("GET", "/")]);
        assert_eq!(faults, [Some(Fault::CorruptResponse), Some(Fault::TruncateResponse)]);
    }

    #[test]
    fn a_seed_gives_the_same_faults_again_and_about_as_many_as_asked() {
        let plan = || FaultPlan::new(7).rule(Rule::new(Fault::ResetBeforeResponse, When::Probability(0.25)));
        let requests = vec![("GET", "/"); 1000];
        let faults = decide(plan(), &requests);
        assert_eq!(faults, decide(plan(), &requests));
        let hits = faults.iter().flatten().count();
        assert!((150..350).contains(&hits), "{hits} of 1000");
    }

    #[test]
    fn what_is_beyond_what_the_server_bears_is_refused() {
        let mut decider = Decider::new(FaultPlan::new(1).rule(Rule::new(Fault::ResetBeforeRequest, When::Beyond(2))));
        let mut refused = || decider.decide("GET", "/").fault.is_some();
        assert_eq!([refused(), refused(), refused()], [false, false, true]);
        decider.ended();
        decider.ended();
        assert!(decider.decide("GET", "/").fault.is_none());
        assert_eq!(decider.counts.most, 3);
    }

    #[test]
    fn a_delay_comes_on_top_of_another_fault() {
        let time = Duration::from_millis(5);
        let plan = FaultPlan::new(1)
            .rule(Rule::new(Fault::Delay(time), When::Always))
            .rule(Rule::new(Fault::CorruptRequest, When::Always));
        let verdict = Decider::new(plan).decide("PUT", "/");
        assert_eq!((verdict.delay, verdict.fault), (Some(time), Some(Fault::CorruptRequest)));
    }
}
