use tidegate_sdk::{
    JobOutcome,
    testing::{Cluster, Effect, Scenario, checkpoint, complete, corrupt, incomplete, json, on, replicated},
};

use super::*;

fn steps(effects: &[Effect]) -> Vec<u64> {
    effects.iter().map(Effect::step).collect()
}

#[test]
fn a_complete_checkpoint_is_asked_for_once_with_the_settings_and_a_reason() {
    let cluster = Cluster::new();
    cluster.put(checkpoint("gpt", 100));
    let settings = json!({ "target": "cold", "priority": 7 });
    let asked = cluster.handle::<Replicate>(complete("gpt", 100), settings).unwrap();
    let [Effect::Replicate(request)] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((request.target.as_str(), request.priority), ("cold", 7));
    assert_eq!(request.reason, "every rank has committed");
    let wait = request.not_before - cluster.now();
    assert!(wait < 2_000_000_000, "{wait}");
}

#[test]
fn hosts_wait_differently_and_each_the_same_again() {
    let wait_of = |host: &str| {
        let cluster = Cluster::new();
        cluster.set_host(host);
        cluster.put(checkpoint("gpt", 100));
        match cluster.handle::<Replicate>(complete("gpt", 100), json!(null)).unwrap().remove(0) {
            Effect::Replicate(request) => request.not_before,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(wait_of("a"), wait_of("a"));
    assert_ne!(wait_of("a"), wait_of("b"));
}

#[test]
fn at_the_start_missing_copies_are_asked_for_newest_first_and_bounded() {
    let cluster = Cluster::new();
    for step in 1..=9 {
        cluster.put(checkpoint("gpt", step));
    }
    cluster.put(on(&[Tier::Nvme, Tier::Object], checkpoint("gpt", 8)));
    cluster.put(on(&[Tier::Object], checkpoint("gpt", 6)));
    cluster.put(incomplete("gpt", 7));
    cluster.put(checkpoint("bert", 5));
    let asked = cluster.handle::<Replicate>(Occurrence::Started, json!({ "catch_up": 6 })).unwrap();
    assert_eq!(
        asked.iter().map(|e| (e.run(), e.step())).collect::<Vec<_>>(),
        [("bert", 5), ("gpt", 9), ("gpt", 5), ("gpt", 4)]
    );
}

#[test]
fn a_copy_that_arrives_brings_the_missing_ones_of_its_run_along() {
    let cluster = Cluster::new();
    cluster.put(checkpoint("gpt", 1));
    cluster.put(on(&[Tier::Nvme, Tier::Object], checkpoint("gpt", 2)));
    cluster.put(checkpoint("bert", 1));
    let asked = cluster.handle::<Replicate>(replicated("gpt", 2), json!({})).unwrap();
    assert_eq!((asked[0].run(), steps(&asked)), ("gpt", vec![1]));
    cluster.carry_out(&asked);
    assert_eq!(cluster.handle::<Replicate>(replicated("gpt", 1), json!({})).unwrap(), []);
}

#[test]
fn a_copy_on_the_target_that_was_found_damaged_is_asked_for_anew() {
    let cluster = Cluster::new();
    cluster.put(Checkpoint { verified: vec![Tier::Nvme], ..on(&[Tier::Nvme, Tier::Object], checkpoint("gpt", 1)) });
    assert_eq!(steps(&cluster.handle::<Replicate>(corrupt("gpt", 1, Tier::Object), json!({})).unwrap()), [1]);
    assert_eq!(cluster.handle::<Replicate>(corrupt("gpt", 1, Tier::Nvme), json!({})).unwrap(), []);
}

#[test]
fn what_the_host_says_decides_whether_it_is_an_error() {
    let rule = || "rule".to_owned();
    for (refusal, expected) in [
        (Refusal::Unnecessary(rule()), Ok(0)),
        (Refusal::Unavailable(rule()), Ok(0)),
        (Refusal::OverQuota(rule()), Ok(0)),
        (Refusal::NotFound(rule()), Ok(0)),
        (Refusal::Denied(rule()), Err("denied: rule")),
        (Refusal::Invalid(rule()), Err("invalid: rule")),
    ] {
        let cluster = Cluster::new();
        cluster.put(checkpoint("gpt", 100));
        cluster.refuse(move |_| Some(refusal.clone()));
        let got = cluster.handle::<Replicate>(complete("gpt", 100), json!({}));
        assert_eq!(got.map(|asked| asked.len()).map_err(|e| e.to_string()), expected.map_err(str::to_owned));
    }
}

#[test]
fn a_used_up_quota_ends_the_catching_up_and_keeps_what_was_accepted() {
    let cluster = Cluster::new();
    for step in 1..=9 {
        cluster.put(checkpoint("gpt", step));
    }
    let mut left = 3;
    cluster.refuse(move |_| {
        left -= 1;
        (left < 0).then(|| Refusal::OverQuota("64 effects an event".into()))
    });
    let asked = cluster.handle::<Replicate>(Occurrence::Started, json!({})).unwrap();
    assert_eq!(steps(&asked), [9, 8, 7]);
    assert_eq!(cluster.lines().len(), 1);
}

#[test]
fn a_copy_that_failed_for_good_is_told_to_the_operator() {
    let cluster = Cluster::new();
    let (run, detail, effect) = ("gpt".to_owned(), "403 Forbidden".to_owned(), "0".repeat(32));
    let failed = Occurrence::JobFinished(JobOutcome { effect, run, step: 5, ok: false, detail });
    assert_eq!(cluster.handle::<Replicate>(failed, json!({})).unwrap(), []);
    assert_eq!(cluster.lines()[0].1, "no copy of gpt step 5: 403 Forbidden");
}

#[test]
fn settings_out_of_their_bounds_are_refused_in_words() {
    for (settings, word) in [
        (json!({ "jitter_seconds": -1.0 }), "jitter_seconds"),
        (json!({ "jitter_seconds": 1e9 }), "jitter_seconds"),
        (json!({ "priority": 10 }), "priority"),
        (json!({ "targte": "x" }), "targte"),
        (json!([]), "settings"),
    ] {
        let error = Cluster::new().configure::<Replicate>(settings).unwrap_err();
        assert!(error.contains(word), "{error}");
    }
    assert_eq!(Cluster::new().configure::<Replicate>(json!({ "jitter_seconds": 0 })), Ok(()));
}

#[test]
fn a_herd_is_spread_by_its_jitter() {
    let herd = |seconds: u64| Scenario::herd().bot::<Replicate>(json!({ "jitter_seconds": seconds })).run().unwrap();
    let (together, spread) = (herd(0), herd(600));
    assert!(together.throttled > 0, "{together}");
    assert_eq!(spread.throttled, 0, "{spread}");
    assert_eq!(spread.copies().count() as u64, spread.saves, "{spread}");
    assert!(spread.worst_rpo < Duration::from_secs(1800 + 700), "{spread}");
}

#[test]
fn what_the_host_gave_up_in_a_partition_is_asked_for_once_the_target_is_back() {
    for seed in 1..=20 {
        let partition = Scenario::partition().tries(2).seed(seed);
        let record = partition.bot::<Replicate>(json!({})).run().unwrap();
        assert!(record.asked.iter().any(|it| it.ended.as_ref().is_some_and(|ended| !ended.ok)), "{record}");
        assert_eq!(record.bytes_at_risk, 0, "{record}");
    }
}

#[test]
fn a_slow_link_takes_the_newest_first() {
    let hours = |count: u64| Duration::from_secs(3600 * count);
    let slow = Scenario::slow_link().lasts(hours(8)).bot::<Replicate>(json!({})).run().unwrap();
    assert!(slow.bytes_at_risk > 0, "{slow}");
    assert!(slow.worst_rpo < hours(2), "what waits does not hold up the newest: {slow}");
    assert_eq!((slow.failed.len(), slow.stopped.len()), (0, 0), "{slow}");
}
