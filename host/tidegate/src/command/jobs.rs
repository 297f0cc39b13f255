use clap::Subcommand;
use tidegate_client::{Client, Paging, api::Job};

use crate::{
    exit::Failure,
    show::{Out, Table, bytes, fields},
};

/// Accepted effects being carried out
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Those that run or wait, then the newest that have ended
    List {
        /// At most this many
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// One job
    Show {
        /// Its id
        id: String,
    },
    /// Call one off
    Cancel {
        /// Its id
        id: String,
    },
}

pub(crate) async fn run(args: Args, client: &Client, out: Out) -> Result<(), Failure> {
    match args.what.unwrap_or(What::List { limit: 20 }) {
        What::List { limit } => {
            let (mut jobs, mut page) = (Vec::new(), None);
            while jobs.len() < limit {
                let asked = Paging { limit: Some((limit - jobs.len()).min(1000)), page };
                let answer = client.jobs(&asked).await?;
                jobs.extend(answer.items);
                page = answer.next;
                if page.is_none() {
                    break;
                }
            }
            out.value(&jobs, || text(&jobs))
        }
        What::Show { id } => {
            let job = client.job(&id).await?;
            out.value(&job, || fields(&job))
        }
        What::Cancel { id } => {
            let job = client.cancel_job(&id).await?;
            out.value(&job, || format!("job {id} is {}", job.state))
        }
    }
}

fn text(jobs: &[Job]) -> String {
    let mut table = Table::new(&["JOB", "BY", "WHAT", "RUN", "STEP", "STATE", "BYTES", "WHY", "DETAIL"]);
    for job in jobs {
        let what = format!("{} {}", job.verb, job.place);
        let tried =
            if job.failures > 0 { format!("{} ({} failed)", job.state, job.failures) } else { job.state.clone() };
        let (id, step) = (job.id.clone(), job.step.to_string());
        let moved = if job.bytes_total > job.bytes {
            format!("{} of {}", bytes(job.bytes), bytes(job.bytes_total))
        } else {
            bytes(job.bytes)
        };
        let (by, run) = (job.by.clone(), job.run.clone());
        table.row([id, by, what, run, step, tried, moved, job.reason.clone(), job.detail.clone()]);
    }
    table.or("no jobs")
}
