use tidegate_core::{self as core, guard as host};

use super::*;
use crate::testing::{checkpoint, incomplete, on};

fn world(known: &[Checkpoint]) -> World {
    let checkpoints = known.iter().map(|it| ((it.run.clone(), it.step), it.clone())).collect();
    World { checkpoints, ..World::default() }
}

fn class(known: &[Checkpoint], step: u64, tier: Tier) -> &'static str {
    let world = world(known);
    let it = &world.checkpoints[&("gpt".to_owned(), step)];
    Guard::default().admit_prune(&world, it, tier).map_or_else(|refusal| refusal.class(), |()| "admitted")
}

#[test]
fn the_last_verified_copy_of_what_must_be_kept_stays() {
    let (one, two) = (checkpoint("gpt", 1), checkpoint("gpt", 2));
    assert_eq!(class(&[one.clone(), two.clone()], 1, Tier::Nvme), "admitted");
    assert_eq!(class(&[one.clone(), two.clone()], 2, Tier::Nvme), "would-lose-data");
    assert_eq!(class(&[on(&[Tier::Nvme, Tier::Object], two.clone())], 2, Tier::Nvme), "admitted");
    assert_eq!(class(&[on(&[Tier::Nvme], two.clone())], 2, Tier::Object), "unnecessary");
    let unverified = Checkpoint { verified: Vec::new(), ..two };
    assert_eq!(class(&[one.clone(), unverified], 1, Tier::Nvme), "would-lose-data", "the newest may be damaged");
    let pinned = Checkpoint { pinned: true, ..one.clone() };
    assert_eq!(class(&[pinned, checkpoint("gpt", 2)], 1, Tier::Nvme), "would-lose-data");
    assert_eq!(class(&[one, incomplete("gpt", 3)], 3, Tier::Nvme), "would-lose-data");
    assert_eq!(class(&[incomplete("gpt", 1)], 1, Tier::Nvme), "would-lose-data");
}

#[test]
fn what_is_being_copied_is_not_pruned_meanwhile() {
    let world = world(&[checkpoint("gpt", 1), checkpoint("gpt", 2)]);
    let guard = Guard { read: vec![("gpt".into(), 1)] };
    let refused = guard.admit_prune(&world, &world.checkpoints[&("gpt".into(), 1)], Tier::Nvme).unwrap_err();
    assert_eq!(refused.class(), "unavailable");
}

/// The same checkpoint as the host keeps it.
fn as_the_host_has_it(it: &Checkpoint) -> core::Checkpoint {
    let (step, world) = (it.step.try_into().unwrap(), 2_u64.try_into().unwrap());
    let mut made = core::Checkpoint::new(it.run.parse().unwrap(), step, world, core::Timestamp(0));
    for rank in 0..if it.complete { 2_u64 } else { 1 } {
        let rank = rank.try_into().unwrap();
        let mut shard = core::Shard { rank, bytes: 1, files: 1, committed: 1, body: None, copies: vec![] };
        for (tier, same) in [(Tier::Nvme, core::Tier::Nvme), (Tier::Object, core::Tier::Object)] {
            if it.is_present(tier) {
                shard.add_copy(same, 1, it.is_verified(tier));
            }
        }
        made.shards.insert(rank, shard);
    }
    made.complete = made.has_all_ranks().then_some(1);
    if it.pinned {
        made.pins.push(core::Pin { by: "b".into(), reason: "r".into(), since: 1, until: None });
    }
    made
}

#[test]
fn the_guard_of_a_scenario_says_what_the_guard_of_a_host_says() {
    let forms: Vec<Checkpoint> = (0..36)
        .filter_map(|form| {
            let (nvme, object, complete, pinned) = (form % 3, form / 3 % 3, form / 9 % 2 == 0, form / 18 == 0);
            let held = |least: usize| {
                [(nvme, Tier::Nvme), (object, Tier::Object)].into_iter().filter(move |it| it.0 >= least).map(|it| it.1)
            };
            let mut it = on(&held(1).collect::<Vec<_>>(), checkpoint("gpt", 1));
            it.verified = if complete { held(2).collect() } else { Vec::new() };
            (it.complete, it.pinned) = (complete, pinned);
            (!it.present.is_empty()).then_some(it)
        })
        .collect();
    let mut compared = 0;
    for older in &forms {
        for newer in &forms {
            let known = [older.clone(), Checkpoint { step: 2, ..newer.clone() }];
            let theirs = known.each_ref().map(as_the_host_has_it);
            let newest = |has: fn(&core::Checkpoint) -> bool| theirs.iter().rev().find(|it| has(it)).map(|it| it.step);
            let around = host::Surroundings {
                newest_complete: newest(core::Checkpoint::restorable),
                newest_verified: newest(core::Checkpoint::safe),
                wanted_copies: 1,
                being_read: false,
            };
            for (it, same) in known.iter().zip(&theirs) {
                for (tier, there) in [(Tier::Nvme, core::Tier::Nvme), (Tier::Object, core::Tier::Object)] {
                    let expected = host::admit_prune(same, there, &around).map_or_else(
                        |refusal| serde_json::to_value(refusal.why).unwrap().as_str().unwrap().to_owned(),
                        |_| "admitted".to_owned(),
                    );
                    assert_eq!(class(&known, it.step, tier), expected, "{tier} of step {} in {known:?}", it.step);
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 4000, "{compared}");
}
