//! The numbers of a host for dashboards.

use tidegate_core::{Code, Grants, Mode};
use tidegate_engine::{JobFigures, Standing};
use tidegate_tests_support::guest::component;

use crate::fixture::{Fixture, pin_grants, replicate_grants, replicator};

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_are_those_that_the_bots_are_shown_with() {
    let fixture = Fixture::new().await;
    fixture.install("bad", component("", "unreachable").unwrap(), pin_grants(), &["shard-committed"]).await;
    fixture.install("copies", replicator(), replicate_grants(), &["checkpoint-sealed"]).await;
    fixture.install("idle", component("", "").unwrap(), Grants::default(), &[]).await;
    fixture.commit(1, 0, 1, &[("a", b"some bytes")]).await;
    fixture.event(|event| event.kind.name() == "bot-quarantined").await;
    fixture.event(|event| event.kind.name() == "job-finished").await;
    fixture.caught_up("copies").await;
    fixture.caught_up("idle").await;

    let (figures, shown) = (fixture.host.figures().await.unwrap(), fixture.host.bots().await.unwrap());
    assert_eq!((figures.host.as_str(), figures.saves, figures.bots.len()), ("h", 0, 3));
    assert!(figures.tier_free > 0 && figures.tier_size >= figures.tier_free);
    for (counted, shown) in figures.bots.iter().zip(&shown) {
        assert_eq!((&counted.name, counted.standing, &counted.ledger), (&shown.name, shown.standing(), &shown.ledger));
        assert_eq!(
            (counted.lag, counted.state_bytes, &counted.metrics),
            (shown.lag, shown.state_bytes, &shown.metrics)
        );
        assert_eq!((counted.plugin, counted.mode), (shown.spec.plugin, Mode::Enforce));
    }
    let standing: Vec<_> = figures.bots.iter().map(|bot| (bot.standing, bot.parked, bot.ledger.faults)).collect();
    assert_eq!(standing, [(Standing::Quarantined, 1, 4), (Standing::Running, 0, 0), (Standing::Running, 0, 0)]);
    assert_eq!(figures.bots[0].lag, figures.journal - shown[0].cursor);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_counted_once_where_they_stand_and_when_they_have_ended() {
    let fixture = Fixture::new().await;
    fixture.install("copies", replicator(), replicate_grants(), &["checkpoint-sealed"]).await;
    for step in 1..=3 {
        fixture.commit(step, 0, 1, &[("a", b"some bytes")]).await;
    }
    let ended = loop {
        let jobs = fixture.host.figures().await.unwrap().jobs;
        assert!(jobs.queued + jobs.running + jobs.done <= 3, "{jobs:?}");
        if jobs.done == 3 {
            break jobs;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(ended, JobFigures { done: 3, ..JobFigures::default() });
    let job = fixture.host.jobs(None, 1).await.unwrap().remove(0).job;
    assert_eq!(fixture.host.cancel(&job.id).await.unwrap_err().code, Code::Ended);
    assert_eq!(fixture.host.figures().await.unwrap().jobs, ended, "what has ended is not counted again");
}
