//! From the server onto a machine that has nothing else, all as processes: ours with every block verified, and durable at its
//! end; the others with neither. One server holds everyone's copy.

use std::{fs, path::Path, time::Instant};

use anyhow::{Context, Result, ensure};
use tidegate_tests_support::seaweed::SeaweedFs;

use super::{
    load::Load,
    ours::{self, Ours},
    tools::{Tools, Who},
    turns::{Turn, Turns, order},
};
use crate::{Args, disk, figure::Figure, usage};

pub(super) fn measure(args: &Args, name: &str, load: &Load) -> Result<Vec<Figure>> {
    let dir = args.dir.join(name);
    disk::remove(&dir)?;
    let figures = rounds(args, name, load, &dir);
    disk::remove(&dir)?;
    figures
}

fn rounds(args: &Args, name: &str, load: &Load, dir: &Path) -> Result<Vec<Figure>> {
    let server = SeaweedFs::start(&dir.join("weed"))?;
    let tools = Tools { server: &server, scratch: dir.to_owned() };
    let bytes = fill(args, load, &tools)?;
    let mut turns = Turns::default();
    for nth in 0..=args.rounds.unwrap_or(load.rounds) {
        for who in order(load.who, nth) {
            let into = dir.join("back");
            if who != Who::Tidegate {
                fs::create_dir(&into)?;
            }
            disk::quiet(dir)?;
            let pid = server.pid().context("the server has ended")?;
            let cpu = usage::of(pid)?;
            let took = match who {
                Who::Tidegate => ours::restore(args, &server, &into)?,
                _ => tools.download(who, &into)?,
            };
            let (server, started) = (usage::of(pid)? - cpu, Instant::now());
            disk::sync(dir)?;
            let turn = Turn { took, server, sync: started.elapsed().as_secs_f64() };
            let back = disk::size(&into)?;
            ensure!(back == bytes, "{} brought {back} bytes back of {bytes}", who.name());
            disk::remove(&into)?;
            // The first round warms up.
            if nth > 0 {
                turns.add(who, turn);
            }
        }
    }
    let layout = load.layout().unwrap_or("plain");
    let what = format!(
        "{} files, {bytes} bytes, from SeaweedFS on the same machine; layout {layout}; ours durable, every block verified; the \
         others neither",
        load.files
    );
    turns.figures(name, bytes, &what)
}

/// Everyone's copy. Of what made them nothing is left.
fn fill(args: &Args, load: &Load, tools: &Tools<'_>) -> Result<u64> {
    let dir = tools.scratch.join("from");
    fs::create_dir_all(&dir)?;
    let mut ours = Ours::start(args, load, tools.server, &dir)?;
    for who in load.who.iter().copied().filter(|who| *who != Who::Tidegate) {
        tools.prepare(who)?;
    }
    let (mut bytes, last) = (0, load.steps().last());
    for step in load.steps() {
        bytes = ours.save(load, *step)?;
        ours.replicate()?;
        for who in load.who.iter().copied().filter(|who| *who != Who::Tidegate) {
            if Some(step) == last || who == Who::Restic {
                tools.upload(who, &ours.files(*step))?;
            }
        }
    }
    drop(ours);
    disk::remove(&dir)?;
    Ok(bytes)
}
