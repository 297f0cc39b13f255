//! To the server: ours from the start of the job to `checkpoint-replicated`, a peer from start to end of its process. Each
//! round has a server, a host and files of its own.

use std::{path::Path, time::Instant};

use anyhow::{Context, Result};
use tidegate_tests_support::seaweed::SeaweedFs;

use super::{
    load::Load,
    ours::Ours,
    tools::{Tools, Who},
    turns::{Turn, Turns, order},
};
use crate::{Args, disk, figure::Figure, usage};

pub(super) fn measure(args: &Args, name: &str, load: &Load) -> Result<Vec<Figure>> {
    let dir = args.dir.join(name);
    let (mut turns, mut what, mut bytes) = (Turns::default(), String::new(), 0);
    for nth in 0..=args.rounds.unwrap_or(load.rounds) {
        disk::remove(&dir)?;
        (bytes, what) = round(args, load, &dir, nth, &mut turns)?;
        disk::remove(&dir)?;
    }
    turns.figures(name, bytes, &what)
}

/// Everyone once. Returns the bytes, and what was done.
fn round(args: &Args, load: &Load, dir: &Path, nth: usize, turns: &mut Turns) -> Result<(u64, String)> {
    let server = SeaweedFs::start(&dir.join("weed"))?;
    let mut ours = Ours::start(args, load, &server, dir)?;
    let tools = Tools { server: &server, scratch: dir.to_owned() };
    let (&last, before) = load.steps().split_last().context("a load without a step")?;
    let mut bytes = 0;
    // The steps before are there already, on everyone's side who could use them.
    for step in before {
        ours.save(load, *step)?;
        ours.replicate()?;
    }
    bytes += ours.save(load, last)?;
    for who in load.who.iter().copied().filter(|who| *who != Who::Tidegate) {
        tools.prepare(who)?;
        for step in before.iter().filter(|_| who == Who::Restic) {
            tools.upload(who, &ours.files(*step))?;
        }
    }
    let mut verified = String::new();
    for who in order(load.who, nth) {
        disk::quiet(dir)?;
        let pid = server.pid().context("the server has ended")?;
        let cpu = usage::of(pid)?;
        let took = if who == Who::Tidegate {
            let (took, how) = ours.replicate()?;
            verified = how;
            took
        } else {
            tools.upload(who, &ours.files(last))?
        };
        let (server, started) = (usage::of(pid)? - cpu, Instant::now());
        disk::sync(dir)?;
        let turn = Turn { took, server, sync: started.elapsed().as_secs_f64() };
        // The first round warms up.
        if nth > 0 {
            turns.add(who, turn);
        }
    }
    let layout = load.layout().unwrap_or("plain");
    let what = format!(
        "{} files, {bytes} bytes, to SeaweedFS on the same machine; layout {layout}; ours verified ({verified}), \
         with digests; the others without",
        load.files
    );
    Ok((bytes, what))
}
