use tidegate_client::{
    Client, Paging,
    api::{Checkpoint, Tier},
};
use tidegate_core::RunName;

use crate::{
    exit::Failure,
    show::{Out, Table, bytes, moment},
};

/// A run's checkpoints, newest first
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run
    run: String,
    /// At most this many
    #[arg(long, default_value_t = 20, conflicts_with = "all")]
    limit: usize,
    /// All of them
    #[arg(long)]
    all: bool,
}

pub(crate) async fn run(args: Args, client: &Client, out: Out) -> Result<(), Failure> {
    args.run.parse::<RunName>()?;
    let wanted = if args.all { usize::MAX } else { args.limit };
    let (mut found, mut page) = (Vec::new(), None);
    while found.len() < wanted {
        let limit = Some((wanted - found.len()).min(1000));
        let paging = Paging { limit, page };
        let looking = format!("looking for checkpoints of {}", args.run);
        let answer = out.wait(looking, client.checkpoints(&args.run, &paging)).await?;
        found.extend(answer.items);
        page = answer.next;
        if page.is_none() {
            break;
        }
    }
    out.value(&found, || text(&found, page.is_some()))
}

fn text(checkpoints: &[Checkpoint], more: bool) -> String {
    let mut table = Table::new(&["STEP", "RANKS", "BYTES", "TIERS", "CREATED", "METRICS", "KEPT BECAUSE"]);
    for it in checkpoints {
        let ranks =
            if it.complete { it.world_size.to_string() } else { format!("{} of {}", it.shards.len(), it.world_size) };
        let tiers: Vec<&str> = it
            .tiers
            .iter()
            .map(|tier| match tier {
                Tier::Nvme => "nvme",
                Tier::Object => "object",
            })
            .collect();
        let tiers = match (it.lost, tiers.is_empty()) {
            (true, _) => "LOST".to_owned(),
            (false, true) => "-".to_owned(),
            (false, false) => tiers.join(","),
        };
        let metrics: Vec<String> = it.metrics.iter().map(|(name, value)| format!("{name}={value:.6}")).collect();
        let kept = it.kept_because.clone().unwrap_or_default();
        let row = [it.step.to_string(), ranks, bytes(it.bytes), tiers, moment(&it.created_at), metrics.join(" "), kept];
        table.row(row);
    }
    let more = if more { "there are more: --limit or --all\n" } else { "" };
    table.or("no checkpoints") + more
}
