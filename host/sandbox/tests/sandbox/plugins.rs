//! The first-party plugins, as components: what their own tests show natively holds here, too.

use tidegate_core::{Checkpoint, Copy, EffectKind, Event, EventKind, Metrics, Refusal, Shard, Tier, Timestamp, Why};
use tidegate_sandbox::{Fault, Plugin};

use crate::support::{Fake, built, event, handle_with, sandbox, step};

fn plugin(name: &str) -> Plugin {
    sandbox().load(&built(name)).unwrap()
}

/// A complete checkpoint of one rank that is verified on both tiers.
fn checkpoint(number: u64, loss: f64) -> Checkpoint {
    let (rank, world) = (0_u64.try_into().unwrap(), 1_u64.try_into().unwrap());
    let copies = Tier::ALL
        .map(|tier| Copy { tier, since: 1, verified: Some(1), gone: None, damaged: false, base: None })
        .to_vec();
    let mut made = Checkpoint::new("gpt".parse().unwrap(), step(number), world, Timestamp(1));
    made.complete = Some(1);
    made.metrics = Metrics::try_from(std::collections::BTreeMap::from([("loss".to_owned(), loss)])).unwrap();
    made.shards.insert(rank, Shard { rank, bytes: 10, files: 1, committed: 1, body: None, copies });
    made
}

#[test]
fn replicate_asks_for_one_copy_and_for_the_same_one_again() {
    let plugin = plugin("replicate");
    let ask = || {
        let (fake, handled) = handle_with(&plugin, Fake::default(), r#"{"target":"cold","jitter_seconds":5}"#);
        assert_eq!(handled.result, Ok(()));
        assert_eq!(handled.usage.host_calls, 1);
        fake.effects
    };
    let effects = ask();
    let EffectKind::Replicate { target, not_before, priority, .. } = &effects[0].kind else { panic!("{effects:?}") };
    assert_eq!((target.as_str(), *priority, effects.len()), ("cold", 5, 1));
    let wait = not_before.since(event().time);
    assert!(wait.as_secs() < 5, "{wait:?}");
    assert_eq!(ask(), effects);
}

#[test]
fn prune_reads_page_by_page_and_names_its_reasons() {
    let checkpoints = (1..=600).map(|n| checkpoint(n * 10, (n % 7) as f64)).collect();
    let settings = r#"{"keep_last":2,"keep_every":1000,"keep_best":{"metric":"loss","count":2}}"#;
    let fake = Fake { checkpoints, ..Fake::default() };
    let (fake, handled) = handle_with(&plugin("prune"), fake, settings);
    assert_eq!(handled.result, Ok(()));
    assert_eq!(fake.limits, [256, 256, 256]);
    // 6 thousands, of which the last is also the last; 2 last; 2 best (steps 5950 and 5880, the newest with loss 0).
    assert_eq!(fake.effects.len(), 600 - 6 - 1 - 2);
    assert_eq!(fake.effects[0].reason, "not among the last 2, not a multiple of 1000, not in the best 2 by loss");
    assert_eq!((fake.effects[0].step.get(), &fake.effects[0].kind), (10, &EffectKind::Prune { tier: Tier::Nvme }));
}

#[test]
fn a_denied_effect_is_the_bots_error_and_an_unavailable_one_a_line() {
    let plugin = plugin("replicate");
    let answering = |why| {
        let answer = move |_: &_| Err(Refusal::new(why, "the rule"));
        handle_with(&plugin, Fake { answer: Some(Box::new(answer)), ..Fake::default() }, "{}").1
    };
    assert_eq!(answering(Why::Denied).result, Err(Fault::Error("denied: the rule".into())));
    let later = answering(Why::Unavailable);
    assert_eq!(later.result, Ok(()));
    assert_eq!(later.logs[0].message, "no copy of gpt step 100 yet: the rule");
}

#[test]
fn settings_are_checked_in_words() {
    let (replicate, prune) = (plugin("replicate"), plugin("prune"));
    assert_eq!(replicate.configure("{}"), Ok(()));
    assert_eq!(prune.configure(r#"{"tiers":["nvme","object"]}"#), Ok(()));
    for (plugin, settings, words) in [
        (&replicate, r#"{"jitter_seconds":-1}"#, "`jitter_seconds` is 0 to 3600, not -1"),
        (&replicate, r#"{"jitter":1}"#, "unknown field `jitter`"),
        (&prune, r#"{"keep_last":0}"#, "`keep_last` is 1 or more"),
        (&prune, "[1]", "a JSON object is expected"),
        (&prune, "{", "settings: EOF"),
    ] {
        let Err(Fault::Error(said)) = plugin.configure(settings) else { panic!("{settings} was taken") };
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn every_kind_of_event_is_taken() {
    let (run, bot) = (|| "gpt".parse().unwrap(), || "b".parse().unwrap());
    let target = "default".parse().unwrap();
    let effect = tidegate_core::EffectId::of_operator(1);
    let plugin_digest = tidegate_core::Digest::of(b"x");
    let step = step(1);
    let kinds = [
        EventKind::BotStarted { bot: bot(), plugin: plugin_digest },
        EventKind::ShardCommitted {
            run: run(),
            step,
            rank: 0_u64.try_into().unwrap(),
            world_size: 1_u64.try_into().unwrap(),
            bytes: 1,
            files: 1,
        },
        EventKind::CheckpointComplete { run: run(), step, bytes: 1 },
        EventKind::CheckpointSealed { run: run(), step },
        EventKind::CheckpointReplicated { run: run(), step, target, bytes: 1, verified: "sha256".into() },
        EventKind::CheckpointPruned { run: run(), step, tier: Tier::Nvme, bytes: 1, reason: "old".into() },
        EventKind::JobFinished { effect, by: "b".into(), run: run(), step, ok: false, detail: "d".repeat(5000) },
    ];
    for name in ["replicate", "prune"] {
        let plugin = plugin(name);
        for kind in kinds.clone() {
            let event = Event { kind, ..event() };
            let handled = plugin.handle(Box::<Fake>::default(), &event, "{}");
            assert_eq!(handled.result, Ok(()), "{name}: {}", event.kind.name());
        }
    }
}
