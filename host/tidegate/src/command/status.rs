use serde_json::json;
use tidegate_client::{
    Client, Paging,
    api::{Bot, Health, Run},
};

use crate::{
    exit::Failure,
    show::{Out, Table, bytes},
};

/// How the host is, its runs and its bots
#[derive(Debug, clap::Args)]
pub(crate) struct Args;

pub(crate) async fn run(Args: Args, client: &Client, out: Out) -> Result<(), Failure> {
    let health = client.health().await?;
    let runs = runs(client).await?;
    let bots = client.bots().await?.items;
    out.value(&json!({ "health": health, "runs": runs, "bots": bots }), || text(&health, &runs, &bots))?;
    if health.ready { Ok(()) } else { Err(Failure::Other(anyhow::anyhow!("the host is not ready"))) }
}

async fn runs(client: &Client) -> Result<Vec<Run>, Failure> {
    let (mut runs, mut paging) = (Vec::new(), Paging { limit: Some(1000), page: None });
    loop {
        let page = client.runs(&paging).await?;
        runs.extend(page.items);
        paging.page = page.next;
        if paging.page.is_none() {
            return Ok(runs);
        }
    }
}

fn text(health: &Health, runs: &[Run], bots: &[Bot]) -> String {
    let state = match (health.ready, health.degraded) {
        (false, _) => "NOT READY",
        (true, true) => "ready, degraded",
        (true, false) => "ready",
    };
    let mut text = format!(
        "host {} {state}, version {}\n\
         tier    {} free of {}\n\
         object  {}\n\
         journal at {}, {} saves and {} jobs in progress\n",
        health.host,
        health.version,
        bytes(health.tier_free),
        bytes(health.tier_size),
        health.object,
        health.journal,
        health.saves,
        health.jobs,
    );
    for check in health.checks.iter().filter(|check| !check.ok) {
        text += &format!("! {}: {}\n", check.name, check.detail);
    }
    let step = |step: Option<u64>| step.map_or_else(|| "-".to_owned(), |step| step.to_string());
    let mut table = Table::new(&["RUN", "RANKS", "CHECKPOINTS", "COMPLETE", "DURABLE"]);
    for run in runs {
        let (ranks, checkpoints) = (run.world_size.to_string(), run.checkpoints.to_string());
        table.row([run.run.clone(), ranks, checkpoints, step(run.latest_complete), step(run.latest_durable)]);
    }
    text += &table.or("no runs yet");
    let mut table = Table::new(&["BOT", "STATE", "LAG", "HANDLED", "EFFECTS", "LAST FAULT"]);
    for bot in bots {
        let numbers = [bot.lag, bot.handled, bot.effects].map(|number| number.to_string());
        let [lag, handled, effects] = numbers;
        let fault = bot.last_fault.clone().unwrap_or_else(|| "-".to_owned());
        table.row([bot.name.clone(), bot.state.clone(), lag, handled, effects, fault]);
    }
    text + &table.or("no bots: nothing is copied or pruned")
}
