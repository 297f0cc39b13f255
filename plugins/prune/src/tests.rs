use tidegate_sdk::{
    JobOutcome,
    testing::{Cluster, Effect, Scenario, checkpoint, complete, incomplete, json, on, replicated, sealed, with_metric},
};

use super::*;

const BOTH: [Tier; 2] = [Tier::Nvme, Tier::Object];

/// A run whose steps 100, 200, ... 1000 are on both tiers, with a loss that falls and rises again.
fn cluster() -> Cluster {
    let cluster = Cluster::new();
    for (nth, loss) in [9.0, 5.0, 4.0, 3.0, 2.0, 2.0, 3.0, 4.0, 5.0, 6.0].into_iter().enumerate() {
        let step = (nth as u64 + 1) * 100;
        cluster.put(on(&BOTH, with_metric("loss", loss, checkpoint("gpt", step))));
    }
    cluster
}

fn steps(effects: &[Effect]) -> Vec<u64> {
    effects.iter().map(Effect::step).collect()
}

#[test]
fn the_rules_decide_which_steps_go() {
    let table = [
        ("the last three", json!({}), vec![100, 200, 300, 400, 500, 600, 700]),
        ("only the last", json!({ "keep_last": 1 }), vec![100, 200, 300, 400, 500, 600, 700, 800, 900]),
        ("more than there are", json!({ "keep_last": 50 }), vec![]),
        ("every 500th", json!({ "keep_every": 500 }), vec![100, 200, 300, 400, 600, 700]),
        (
            "the smallest loss, the newer of two equals",
            json!({ "keep_best": { "metric": "loss" } }),
            vec![100, 200, 300, 400, 500, 700],
        ),
        (
            "the two largest losses",
            json!({ "keep_last": 1, "keep_best": { "metric": "loss", "mode": "max", "count": 2 } }),
            vec![200, 300, 400, 500, 600, 700, 800, 900],
        ),
        (
            "a metric that nobody reports",
            json!({ "keep_best": { "metric": "bleu", "count": 4 } }),
            vec![100, 200, 300, 400, 500, 600, 700],
        ),
    ];
    for (name, settings, expected) in table {
        let asked = cluster().handle::<Prune>(replicated("gpt", 1000), settings).unwrap();
        assert_eq!(steps(&asked), expected, "{name}");
        assert!(asked.iter().all(|effect| matches!(effect, Effect::Prune { tier: Tier::Nvme, .. })), "{name}");
    }
}

#[test]
fn the_reason_names_every_rule_that_did_not_hold() {
    let settings = json!({ "keep_every": 1000, "keep_best": { "metric": "loss", "count": 2 } });
    let asked = cluster().handle::<Prune>(sealed("gpt", 1000), settings).unwrap();
    assert_eq!(
        asked[0].to_string(),
        "prune gpt step 100 from nvme: not among the last 3, not a multiple of 1000, not in the best 2 by loss"
    );
}

#[test]
fn what_stays_says_why() {
    let cluster = cluster();
    cluster.put(Checkpoint { pinned: true, ..on(&BOTH, checkpoint("gpt", 100)) });
    cluster.put(checkpoint("gpt", 300));
    cluster.put(incomplete("gpt", 1100));
    let keep_best = Some(KeepBest { metric: "loss".into(), mode: Mode::Min, count: 1 });
    let settings = Settings { keep_every: 400, keep_best, ..Settings::default() };
    let known = checkpoints::newest("gpt", 99).unwrap();
    let kept: Vec<_> = decide(&known, Tier::Nvme, &settings)
        .into_iter()
        .filter_map(|(it, verdict)| match verdict {
            Verdict::Keep(why) => Some(format!("{}: {why}", it.step)),
            Verdict::Prune(_) => None,
        })
        .collect();
    assert_eq!(
        kept,
        [
            "1100: may still become complete",
            "1000: among the last 3",
            "900: among the last 3",
            "800: among the last 3",
            "600: in the best 1 by loss",
            "400: a multiple of 400",
            "300: waits for a verified copy on object storage",
            "100: pinned",
        ]
    );
}

#[test]
fn nvme_waits_for_the_copy_unless_told_otherwise() {
    let cluster = Cluster::new();
    for step in 1..=5 {
        cluster.put(checkpoint("gpt", step));
    }
    let wait = |settings| steps(&cluster.handle::<Prune>(complete("gpt", 5), settings).unwrap());
    assert_eq!(wait(json!({})), Vec::<u64>::new());
    assert_eq!(wait(json!({ "wait_for_copy": false })), [1, 2]);
}

#[test]
fn an_abandoned_step_goes_once_a_newer_one_is_complete() {
    let cluster = Cluster::new();
    cluster.put(incomplete("gpt", 100));
    cluster.put(incomplete("gpt", 300));
    assert_eq!(cluster.handle::<Prune>(sealed("gpt", 100), json!({})).unwrap(), []);
    cluster.put(checkpoint("gpt", 200));
    let asked = cluster.handle::<Prune>(complete("gpt", 200), json!({})).unwrap();
    assert_eq!(steps(&asked), [100]);
    assert_eq!(asked[0].reason(), "abandoned: not every rank has committed it, and step 200 is complete");
}

#[test]
fn each_tier_follows_the_same_rules_and_pruned_steps_still_count() {
    let cluster = cluster();
    let nvme = cluster.handle::<Prune>(complete("gpt", 1000), json!({ "keep_last": 8 })).unwrap();
    assert_eq!(steps(&nvme), [100, 200]);
    cluster.carry_out(&nvme);
    assert_eq!(cluster.handle::<Prune>(complete("gpt", 1000), json!({ "keep_last": 8 })).unwrap(), []);
    let both = json!({ "keep_last": 9, "tiers": ["nvme", "object"] });
    let object = cluster.handle::<Prune>(complete("gpt", 1000), both).unwrap();
    assert_eq!(object[0].to_string(), "prune gpt step 100 from object: not among the last 9");
    assert_eq!(object.len(), 1);
}

#[test]
fn when_it_starts_every_run_is_tidied() {
    let cluster = cluster();
    for step in 1..=5 {
        cluster.put(on(&BOTH, checkpoint("bert", step)));
    }
    let asked = cluster.handle::<Prune>(Occurrence::Started, json!({ "keep_last": 4 })).unwrap();
    assert_eq!(asked.iter().filter(|e| e.run() == "bert").map(Effect::step).collect::<Vec<_>>(), [1]);
    assert_eq!(asked.iter().filter(|e| e.run() == "gpt").count(), 6);
}

#[test]
fn what_the_guard_refuses_is_logged_and_tried_at_a_later_event() {
    for refusal in [Refusal::WouldLoseData, Refusal::Unavailable, Refusal::NotFound] {
        let cluster = cluster();
        let mut first = true;
        cluster.refuse(move |effect| {
            (effect.step() == 200 && std::mem::take(&mut first)).then(|| refusal("it is being read".into()))
        });
        let asked = cluster.handle::<Prune>(complete("gpt", 1000), json!({ "keep_last": 7 })).unwrap();
        assert_eq!(steps(&asked), [100, 300]);
        assert_eq!(cluster.lines()[0].1, "gpt step 200 stays on nvme: it is being read");
        cluster.carry_out(&asked);
        let asked = cluster.handle::<Prune>(complete("gpt", 1000), json!({ "keep_last": 7 })).unwrap();
        assert_eq!(steps(&asked), [200]);
    }
}

#[test]
fn a_used_up_quota_keeps_what_was_accepted() {
    let cluster = cluster();
    let mut left = 2;
    cluster.refuse(move |_| {
        left -= 1;
        (left < 0).then(|| Refusal::OverQuota("2 effects an event".into()))
    });
    assert_eq!(steps(&cluster.handle::<Prune>(complete("gpt", 1000), json!({})).unwrap()), [100, 200]);
    assert_eq!(cluster.lines().len(), 1);
}

#[test]
fn a_missing_grant_is_an_error() {
    let cluster = cluster();
    cluster.refuse(|_| Some(Refusal::Denied("grant `prune` does not cover run gpt".into())));
    let error = cluster.handle::<Prune>(complete("gpt", 1000), json!({})).unwrap_err();
    assert_eq!(error.to_string(), "denied: grant `prune` does not cover run gpt");
}

#[test]
fn a_prune_that_failed_is_told_to_the_operator() {
    let (run, detail, effect) = ("gpt".to_owned(), "would lose data".to_owned(), "0".repeat(32));
    let failed = Occurrence::JobFinished(JobOutcome { effect, run, step: 5, ok: false, detail });
    let cluster = Cluster::new();
    assert_eq!(cluster.handle::<Prune>(failed, json!({})).unwrap(), []);
    assert_eq!(cluster.lines()[0].1, "gpt step 5 was not pruned: would lose data");
}

#[test]
fn settings_that_cannot_be_meant_are_refused_in_words() {
    for (settings, word) in [
        (json!({ "keep_last": 0 }), "keep_last"),
        (json!({ "keep_last": -1 }), "settings"),
        (json!({ "tiers": [] }), "tiers"),
        (json!({ "tiers": ["tape"] }), "no tier `tape`"),
        (json!({ "keep_best": { "metric": "" } }), "metric"),
        (json!({ "keep_best": { "metric": "x".repeat(65) } }), "metric"),
        (json!({ "keep_best": { "metric": "loss", "count": 0 } }), "count"),
        (json!({ "keep_best": { "metric": "loss", "mode": "least" } }), "least"),
        (json!({ "keep_lats": 3 }), "keep_lats"),
    ] {
        let error = Cluster::new().configure::<Prune>(settings).unwrap_err();
        assert!(error.contains(word), "{error}");
    }
    assert_eq!(Cluster::new().configure::<Prune>(json!({ "tiers": ["nvme", "object"] })), Ok(()));
}

#[test]
fn a_full_disk_is_kept_free_and_nothing_goes_that_has_no_copy() {
    for seed in 1..=20 {
        let disk = Scenario::disk_full().seed(seed).copied_after(std::time::Duration::from_secs(120));
        let record = disk.bot::<Prune>(json!({ "keep_last": 2 })).run().unwrap();
        assert_eq!((record.saves_refused, record.bytes_lost), (0, 0), "{record}");
        assert!(record.refusals().is_empty() && record.failed.is_empty(), "{record}");
    }
}

#[test]
fn while_the_target_is_away_the_disk_fills_and_nothing_is_lost() {
    let minutes = |count: u64| std::time::Duration::from_secs(60 * count);
    let away = Scenario::disk_full().copied_after(minutes(1)).outage(minutes(20), minutes(60));
    let careful = away.clone().bot::<Prune>(json!({})).run().unwrap();
    assert!(careful.saves_refused > 0, "{careful}");
    assert_eq!(careful.bytes_lost, 0, "{careful}");
    let careless = away.bot::<Prune>(json!({ "wait_for_copy": false })).run().unwrap();
    assert_eq!(careless.saves_refused, 0, "{careless}");
    assert!(careless.bytes_lost > 0, "that is what the setting means: {careless}");
}
