use std::time::Duration;

use serde_json::json;

use super::*;
use crate::{
    Occurrence, Refusal, Tier, after, checkpoints, log, random, replication, schedule, settings, state,
    testing::{Asked, Eager, NoSettings},
};

const MINUTE: Duration = Duration::from_secs(60);

/// A copy that waits for a number of seconds drawn from the event's chance.
fn copy(event: &Event, run: &str, step: u64, wait: u64) -> Result<String, Refusal> {
    let not_before = after(event.time, Duration::from_secs(wait));
    let (target, reason) = ("default".to_owned(), "complete".to_owned());
    replication::replicate(&replication::Request {
        not_before,
        ..replication::Request::new(run, step, &target, &reason)
    })
}

fn ends(it: &Asked) -> Duration {
    it.ended.as_ref().unwrap().at
}

#[test]
fn what_is_asked_for_comes_back_as_events_at_its_time() {
    /// Writes down what it is told.
    struct Listener;
    impl Bot for Listener {
        type Settings = NoSettings;
        fn handle(event: &Event, _: &NoSettings) -> Result<(), Error> {
            match &event.what {
                Occurrence::CheckpointComplete(it) => drop(copy(event, &it.run, it.step, 100)?),
                Occurrence::CheckpointReplicated(it) => log::info(format_args!("replicated {}", it.step)),
                Occurrence::JobFinished(job) => log::info(format_args!("finished {} {}", job.step, job.ok)),
                _ => {}
            }
            Ok(())
        }
    }
    let one = Scenario::calm().hosts(1).lasts(11 * MINUTE);
    let record = one.bot::<Listener>(json!({})).bot::<Eager>(json!({})).run().unwrap();
    let asked = &record.asked[0];
    let took = ends(asked) - asked.at;
    assert!((100..120).contains(&took.as_secs()), "{took:?}");
    let told: Vec<_> = record.lines.iter().map(|(at, _, _, line)| (*at, line.as_str())).collect();
    assert_eq!(told, [(ends(asked), "replicated 1000"), (ends(asked), "finished 1000 true")]);
    assert_eq!(record.refused[0].bot, "Eager", "its copy was asked for already, and it is told of no job");
}

#[test]
fn a_bot_is_woken_at_the_time_it_asked_for_and_not_again() {
    /// Copies a minute after.
    struct Later;
    impl Bot for Later {
        type Settings = NoSettings;
        fn handle(event: &Event, _: &NoSettings) -> Result<(), Error> {
            match &event.what {
                Occurrence::CheckpointComplete(it) => {
                    schedule::wake_at(after(event.time, MINUTE), &it.step.to_string(), "not now")?;
                }
                Occurrence::Woken(wake) => {
                    assert_eq!(wake.due, event.time);
                    copy(event, &checkpoints::runs(1)?[0], wake.key.parse().unwrap(), 0)?;
                }
                _ => {}
            }
            Ok(())
        }
    }
    let (early, late) = (Scenario::calm().bot::<Eager>(json!({})), Scenario::calm().bot::<Later>(json!({})));
    let (early, late) = (early.run().unwrap(), late.run().unwrap());
    assert_eq!(early.asked.len(), late.asked.len());
    assert!(early.asked.iter().zip(&late.asked).all(|(early, late)| late.at == early.at + MINUTE));
}

#[test]
fn a_key_is_taken_until_its_bot_has_come_to_the_wake_whatever_the_handler_does() {
    struct Fails;
    impl Bot for Fails {
        type Settings = NoSettings;
        fn handle(_: &Event, _: &NoSettings) -> Result<(), Error> {
            Err("not now".into())
        }
    }
    let plan = Scenario::calm().bot::<Fails>(json!({}));
    let mut host = host::Host::new(0, 1, 1);
    for (key, due) in [("k", 5), ("moved", 9)] {
        host.cursors[0].wakes.insert(key.to_owned(), due);
    }
    for key in ["k", "moved"] {
        let woken = Occurrence::Woken(crate::Wake { key: key.to_owned(), due: 5 });
        host.journal(5, &woken, Some(0));
        let keys = |host: &host::Host| host.cursors[0].wakes.keys().cloned().collect::<Vec<_>>();
        assert!(keys(&host).iter().any(|it| it == key));
        assert!(host.handle(0, &plan.bots[0]).unwrap().1.result.is_err());
        assert_eq!(keys(&host), ["moved"], "the event is tried again, and the key is free; one that was moved stays");
        host.cursors[0].inbox.clear();
    }
}

#[test]
fn an_error_leaves_nothing_and_after_four_tries_the_bot_is_stopped_on_its_host() {
    /// Can't stand the third checkpoint of a run.
    struct Fragile;
    impl Bot for Fragile {
        type Settings = NoSettings;
        fn handle(event: &Event, _: &NoSettings) -> Result<(), Error> {
            if let Occurrence::CheckpointComplete(it) = &event.what {
                state::save("seen", &it.step)?;
                copy(event, &it.run, it.step, 0)?;
                if it.step == 3000 {
                    schedule::wake_at(event.time, "never", "undone")?;
                    return Err("not this one".into());
                }
            }
            assert!(!matches!(event.what, Occurrence::Woken(_)));
            Ok(())
        }
    }
    let record = Scenario::calm().hosts(2).bot::<Fragile>(json!({})).run().unwrap();
    assert_eq!(record.failed.len(), 2 * 4);
    assert!(record.failed[0].at < record.failed[1].at, "it waits between two tries");
    assert_eq!(record.stopped.len(), 2);
    assert_eq!(record.asked.iter().map(|it| it.effect.step()).max(), Some(2000));
    assert!(record.to_string().contains("first error: Fragile on host-"), "{record}");
}

#[test]
fn each_host_has_its_own_state_and_its_own_chance() {
    /// Counts, and draws.
    struct Counter;
    impl Bot for Counter {
        type Settings = NoSettings;
        fn handle(event: &Event, _: &NoSettings) -> Result<(), Error> {
            if let Occurrence::CheckpointComplete(_) = &event.what {
                let count = state::load::<u64>("count")?.unwrap_or(0) + 1;
                state::save("count", &count)?;
                log::info(format_args!("{count} {}", random::next_u64()?));
            }
            Ok(())
        }
    }
    let record = Scenario::herd().hosts(3).lasts(95 * MINUTE).bot::<Counter>(json!({})).run().unwrap();
    let lines: Vec<(&str, &str)> = record.lines.iter().filter_map(|(_, _, _, line)| line.split_once(' ')).collect();
    assert_eq!(lines.iter().map(|it| it.0).collect::<Vec<_>>(), ["1", "1", "1", "2", "2", "2", "3", "3", "3"]);
    let drawn: std::collections::BTreeSet<&str> = lines.iter().map(|it| it.1).collect();
    assert_eq!(drawn.len(), 9);
}

/// Prunes all that it knows from both tiers, whatever it is.
struct Vandal;

impl Bot for Vandal {
    type Settings = NoSettings;
    fn handle(event: &Event, _: &NoSettings) -> Result<(), Error> {
        if let Occurrence::CheckpointSealed(it) = &event.what {
            for known in checkpoints::newest(&it.run, 64)? {
                for tier in [Tier::Nvme, Tier::Object] {
                    let _ = checkpoints::prune(&it.run, known.step, tier, "all must go");
                }
            }
        }
        Ok(())
    }
}

#[test]
fn no_bot_gets_around_safe_prune() {
    let scenario = || Scenario::disk_full().copied_after(MINUTE);
    for seed in 1..20 {
        let record = scenario().seed(seed).bot::<Vandal>(json!({})).run().unwrap();
        assert!(record.refusals()["would-lose-data"] > 0, "{record}");
        assert_eq!(record.saves_refused, 0, "{record}");
        assert!(record.bytes_lost > 0, "what need not be kept it may delete: {record}");
        for run in ["run-0", "run-1"] {
            let done = record.of_run(run).filter(|it| it.ended.as_ref().is_some_and(|it| it.ok));
            let pruned: Vec<u64> = done.map(|it| it.effect.step()).collect();
            let everywhere = pruned.iter().filter(|step| pruned.iter().filter(|it| it == step).count() == 2).max();
            assert!(
                everywhere.is_some_and(|step| *step < record.saves / 2 * 1000),
                "the newest is somewhere: {record}"
            );
        }
    }
}

#[test]
fn the_newest_goes_first_over_a_slow_link() {
    let record = Scenario::slow_link().hosts(1).bot::<Eager>(json!({})).run().unwrap();
    let first_of_a_full_queue = record.copies().filter(|it| it.at > 60 * MINUTE).min_by_key(|it| ends(it)).unwrap();
    let older = record.asked.iter().filter(|it| it.effect.step() < first_of_a_full_queue.effect.step());
    assert!(older.filter(|it| it.ended.is_none()).count() > 0, "{record}");
}

#[test]
fn a_partition_delays_copies_and_loses_none() {
    let record = Scenario::partition().bot::<Eager>(json!({})).run().unwrap();
    assert_eq!(record.copies().count() as u64, record.saves);
    assert!(record.copies().all(|it| ends(it) < 30 * MINUTE || ends(it) > 75 * MINUTE), "{record}");
    let failing = Scenario::partition().tries(2).bot::<Eager>(json!({})).run().unwrap();
    let gave_up = failing.asked.iter().filter_map(|it| it.ended.as_ref()).find(|it| !it.ok).unwrap();
    assert_eq!(gave_up.detail, "gave up after 2 tries: the object tier does not answer");
}

#[test]
fn settings_reach_the_bot_and_the_cluster_of_the_test_is_left_alone() {
    #[settings]
    struct Target {
        target: String,
    }
    struct To;
    impl Bot for To {
        type Settings = Target;
        fn handle(event: &Event, settings: &Target) -> Result<(), Error> {
            if let Occurrence::CheckpointComplete(it) = &event.what {
                let (run, step, target) = (it.run.clone(), it.step, settings.target.clone());
                let request =
                    replication::Request { priority: 0, ..replication::Request::new(&run, step, &target, "r") };
                let _ = replication::replicate(&request);
            }
            Ok(())
        }
    }
    let cluster = crate::testing::Cluster::new();
    cluster.put(crate::testing::checkpoint("mine", 7));
    let record = Scenario::calm().bot::<To>(json!({ "target": "tape" })).run().unwrap();
    assert_eq!(record.refusals()["not-found"] as u64, record.saves);
    assert_eq!(checkpoints::runs(9).unwrap(), ["mine"]);
}

#[test]
fn a_bot_that_keeps_itself_busy_is_found_out() {
    /// Takes the end of each job as a reason to ask for another.
    struct Restless;
    impl Bot for Restless {
        type Settings = NoSettings;
        fn handle(event: &Event, _: &NoSettings) -> Result<(), Error> {
            match &event.what {
                Occurrence::CheckpointComplete(it) => drop(copy(event, &it.run, it.step, 0)?),
                Occurrence::JobFinished(it) => {
                    schedule::wake_at(event.time, "again", "more")?;
                    drop((copy(event, &it.run, it.step, 0), checkpoints::pin(&it.run, it.step, "on")?));
                }
                Occurrence::Woken(_) => schedule::wake_at(event.time, "again", "and more")?,
                _ => {}
            }
            Ok(())
        }
    }
    let error = Scenario::herd().settles(1000 * MINUTE).bot::<Restless>(json!({})).run().unwrap_err();
    assert!(error.to_string().contains("no end"), "{error}");
}

#[test]
fn a_copy_is_called_off_by_its_bot_or_by_its_deadline() {
    /// Asks for a copy in an hour; calls it off at the next checkpoint, or lets it have a deadline of a minute.
    struct Fickle;
    #[settings]
    struct How {
        calls_off: bool,
    }
    impl Bot for Fickle {
        type Settings = How;
        fn handle(event: &Event, settings: &How) -> Result<(), Error> {
            if let Occurrence::JobFinished(job) = &event.what {
                log::info(&job.detail);
                assert!(replication::status(&job.effect)? != Some(replication::JobState::Open));
            }
            let Occurrence::CheckpointComplete(it) = &event.what else { return Ok(()) };
            if let Some(id) = state::load::<String>("asked")? {
                assert_eq!(replication::status(&id)?, Some(replication::JobState::Open));
                replication::cancel(&id, "another is there")?;
                assert_eq!(replication::status(&id)?, Some(replication::JobState::Cancelled));
            }
            let mut request = replication::Request::new(&it.run, it.step, "default", "complete");
            request.not_before = after(event.time, 60 * MINUTE);
            if !settings.calls_off {
                request.deadline = Some(request.not_before);
            }
            let id = replication::replicate(&request)?;
            if settings.calls_off {
                state::save("asked", &id)?;
            }
            Ok(())
        }
    }
    let said = |calls_off| {
        let plan = Scenario::calm().hosts(1).lasts(25 * MINUTE).settles(100 * MINUTE);
        let record = plan.bot::<Fickle>(json!({ "calls_off": calls_off })).run().unwrap();
        assert!(record.failed.is_empty(), "{:?}", record.failed);
        record.lines.iter().map(|(_, _, _, line)| line.clone()).collect::<Vec<_>>()
    };
    assert_eq!(said(true)[0], "called off by its bot");
    assert_eq!(said(false)[0], "its deadline has passed");
}
