use crate::{
    JobOutcome, Occurrence, Tier, Wake, checkpoints,
    prelude::*,
    replication::JobState,
    testing::{Cluster, NoSettings, checkpoint, complete, json},
};

const SECOND: u64 = 1_000_000_000;

/// Copies what is complete, as its settings say; fails when it is woken under the key `fail`.
struct Copier;

impl Bot for Copier {
    type Settings = NoSettings;

    fn handle(event: &Event, _: &NoSettings) -> Result<(), Error> {
        match &event.what {
            Occurrence::CheckpointComplete(it) => {
                replication::replicate(&Request::new(&it.run, it.step, "default", "complete"))?;
                Ok(())
            }
            Occurrence::Woken(wake) if wake.key == "fail" => {
                schedule::wake_at(event.time, "never", "undone")?;
                Err("not now".into())
            }
            _ => Ok(()),
        }
    }
}

fn copy(cluster: &Cluster, target: &str) -> Result<String, &'static str> {
    let request = Request { not_before: cluster.now(), ..Request::new("gpt", 100, target, "why") };
    replication::replicate(&request).map_err(|refusal| refusal.class())
}

fn cluster() -> Cluster {
    let cluster = Cluster::new();
    cluster.put(checkpoint("gpt", 100));
    cluster
}

#[test]
fn what_is_asked_for_already_is_unnecessary_until_it_has_ended() {
    let cluster = cluster();
    let handle = |what| cluster.handle::<Copier>(what, json!({}));
    let again = || handle(complete("gpt", 100)).map(|asked| asked.len()).map_err(|error| error.to_string());
    assert_eq!(again(), Ok(1));
    assert!(again().unwrap_err().contains("is doing this"));
    assert!(copy(&cluster, "another").is_ok(), "to another target is another copy");

    let ended = |effect: String, ok| {
        let (run, detail) = ("gpt".to_owned(), "no answer".to_owned());
        Occurrence::JobFinished(JobOutcome { effect, run, step: 100, ok, detail })
    };
    let id = "00000000000000010000000000000001";
    handle(ended(id.into(), false)).unwrap();
    assert_eq!(replication::status(id), Ok(Some(JobState::Failed)));
    let asked = handle(complete("gpt", 100)).unwrap();
    cluster.carry_out(&asked);
    assert_eq!(replication::status("00000000000000040000000000000001"), Ok(Some(JobState::Done)));
    assert!(again().unwrap_err().contains("is on the target"));
}

#[test]
fn one_that_was_called_off_may_be_asked_for_from_the_next_event_on() {
    let cluster = cluster();
    let id = copy(&cluster, "default").unwrap();
    assert_eq!(copy(&cluster, "default"), Err("unnecessary"));
    replication::cancel(&id, "not now").unwrap();
    assert_eq!(copy(&cluster, "default"), Err("unnecessary"), "this handler has asked for it");
    assert_eq!(cluster.handle::<Copier>(complete("gpt", 100), json!({})).unwrap().len(), 1);
}

#[test]
fn what_fails_leaves_no_job() {
    struct Fails;
    impl Bot for Fails {
        type Settings = NoSettings;
        fn handle(_: &Event, _: &NoSettings) -> Result<(), Error> {
            replication::replicate(&Request::new("gpt", 100, "default", "why"))?;
            Err("after all not".into())
        }
    }
    let cluster = cluster();
    cluster.handle::<Fails>(complete("gpt", 100), json!({})).unwrap_err();
    assert_eq!(cluster.handle::<Copier>(complete("gpt", 100), json!({})).unwrap().len(), 1);
}

#[test]
fn effects_of_every_kind_are_64_an_event() {
    struct Greedy;
    impl Bot for Greedy {
        type Settings = NoSettings;
        fn handle(event: &Event, _: &NoSettings) -> Result<(), Error> {
            for nth in 0..62 {
                schedule::wake_at(event.time, &format!("{nth}"), "again")?;
            }
            schedule::cancel("0")?;
            checkpoints::pin("gpt", 100, "the last that fits")?;
            let full = [
                checkpoints::prune("gpt", 100, Tier::Nvme, "one more").map(drop),
                schedule::wake_at(event.time, "more", "one more"),
                schedule::cancel("1"),
            ];
            assert!(
                full.iter().all(|it| it.as_ref().is_err_and(|refusal| refusal.class() == "over-quota")),
                "{full:?}"
            );
            assert!(checkpoints::plan_prune("gpt", &[100], Tier::Nvme)?[0].allowed, "a plan asks for nothing");
            Ok(())
        }
    }
    let cluster = cluster();
    for _ in 0..2 {
        assert_eq!(cluster.handle::<Greedy>(Occurrence::Started, json!({})).unwrap().len(), 1);
        assert_eq!(cluster.wakes().len(), 61);
    }
}

#[test]
fn a_wake_frees_its_key_whatever_the_handler_does_unless_it_was_moved_since() {
    let cluster = cluster();
    let woken = |key: &str, due| Occurrence::Woken(Wake { key: key.into(), due });
    for key in ["well", "fail", "moved"] {
        schedule::wake_at(5 * SECOND, key, "to look again").unwrap();
    }
    schedule::wake_at(9 * SECOND, "moved", "later").unwrap();
    let keys = || cluster.wakes().into_keys().collect::<Vec<_>>();
    cluster.handle::<Copier>(woken("well", 5 * SECOND), json!({})).unwrap();
    assert_eq!(keys(), ["fail", "moved"]);
    cluster.handle::<Copier>(woken("fail", 5 * SECOND), json!({})).unwrap_err();
    assert_eq!(keys(), ["moved"], "the handler failed, and the key is free");
    cluster.handle::<Copier>(woken("moved", 5 * SECOND), json!({})).unwrap();
    assert_eq!(cluster.wakes()["moved"], 9 * SECOND);
}

#[test]
fn what_is_asked_is_within_the_bounds_of_the_contract() {
    let cluster = cluster();
    let week = 7 * 24 * 3600 * SECOND;
    let late = |not_before| {
        let refused = replication::replicate(&Request { not_before, ..Request::new("gpt", 100, "default", "why") });
        refused.map(drop).map_err(|refusal| refusal.class())
    };
    assert_eq!(late(cluster.now() + week + 1), Err("invalid"));
    assert_eq!(late(cluster.now() + week), Ok(()));
    let invalid = [
        schedule::wake_at(1, "key", "\u{1b}[2J"),
        schedule::wake_at(1, "key", ""),
        schedule::wake_at(1, "", "why"),
        schedule::cancel(""),
        replication::cancel("7", "why"),
        replication::status("7").map(drop),
        checkpoints::get("..", 1).map(drop),
        checkpoints::newest(".run", 1).map(drop),
        state::keys(&"k".repeat(257), None).map(drop),
    ];
    assert!(invalid.iter().all(|it| it.as_ref().is_err_and(|refusal| refusal.class() == "invalid")), "{invalid:?}");
    let big = vec![0; 65_536];
    let full = (0..17).map(|nth| state::set(&format!("{nth}"), &big)).find_map(Result::err).unwrap();
    assert_eq!((full.class(), cluster.state().len()), ("over-quota", 15));
    state::set("0", &big).unwrap();
}
