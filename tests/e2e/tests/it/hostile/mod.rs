//! Plugins that mean harm, one after the other at one host: `tests/hostile` holds them as text, [`made`] those that are no
//! text. Each says of itself how it must end. What must hold whatever they do: the host is ready, a well-behaved neighbour
//! handles every event exactly once, the journal goes on, memory stays within a bound, and nothing of a handler that
//! failed is committed.

mod changed;
mod fixture;
mod made;
mod neighbour;
mod play;
mod scene;
mod table;

use tidegate_tests_support::proc;

use self::{fixture::Fixture, neighbour::Neighbour, scene::Scene, table::Table};

/// Bytes by which the host's memory may have grown when all of them have been there. One bot may have 64 MiB.
const GROWTH: u64 = 192 << 20;
/// Bots that are installed at the same time.
const TOGETHER: usize = 12;
/// Seconds that a bot has: more than any bound that is no time needs, however busy the machine is. So what is said to end
/// a plugin is what ends it.
const PATIENT: u64 = 60;
/// Likewise of those that only the deadline ends: what a host gives them by itself.
const USUAL: u64 = 1;
/// Checkpoints that the neighbour sees in quiet.
const QUIET: u64 = 60;

#[test]
fn every_hostile_plugin_ends_as_it_says_and_harms_nobody() {
    let mut fixtures = fixture::all();
    fixtures.extend(made::all());
    assert!(fixtures.len() >= 30, "{}", fixtures.len());
    fixtures.retain(|it| !it.is_about_time());
    let mut scene = Scene::start(PATIENT);
    let neighbour = Neighbour::install(&scene.site);
    (0..QUIET).for_each(|_| scene.quiet_checkpoint());
    let quiet = neighbour.even(&scene.site);
    let before = memory(&scene);

    let mut table = Table::default();
    scene.play(&fixtures, &mut table);
    scene.cut(&mut table);
    scene.flip(&mut table);

    let loud = neighbour.even(&scene.site);
    let grown = memory(&scene).saturating_sub(before);
    println!("{table}");
    println!("the neighbour: {quiet} in quiet, {} among them", loud.since(&quiet));
    println!("the host had {before} bytes before and {grown} more after");
    assert!(grown < GROWTH, "the host's memory grew by {grown} bytes");
    neighbour.saw_every_event_once(&scene.site);
    scene.journal_has_no_gap();
    scene.site.still_works();
}

#[test]
fn what_no_count_ends_is_ended_by_the_deadline_and_harms_nobody() {
    let mut fixtures = fixture::all();
    fixtures.retain(Fixture::is_about_time);
    assert!(!fixtures.is_empty());
    let mut scene = Scene::start(USUAL);
    let neighbour = Neighbour::install(&scene.site);
    let mut table = Table::default();
    scene.play(&fixtures, &mut table);
    println!("{table}");
    neighbour.saw_every_event_once(&scene.site);
    scene.journal_has_no_gap();
    scene.site.still_works();
}

impl Scene {
    /// Some of them at a time, from the upload to the end.
    fn play(&mut self, fixtures: &[Fixture], table: &mut Table) {
        for together in fixtures.chunks(TOGETHER) {
            let standing: Vec<&Fixture> = together.iter().filter(|it| self.enter(it, table)).collect();
            if standing.is_empty() {
                continue;
            }
            let committed = self.provoke();
            standing.iter().for_each(|it| self.judge(it, &committed, table));
            standing.iter().for_each(|it| self.leave(it));
        }
    }
}

fn memory(scene: &Scene) -> u64 {
    proc::memory(scene.site.host.pid().unwrap()).unwrap_or_default()
}
