//! Safe prune (promise 3): nothing deletes the last verified copy of a checkpoint that must be kept. The same function
//! admits a bot's effect, an operator's request and, once more, the job that is about to delete.

use crate::{Checkpoint, Refusal, Step, Tier, Why};

/// What the guard must know beside the checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surroundings {
    /// The newest complete checkpoint of the run of which some tier has every byte, as far as is known.
    pub newest_complete: Option<Step>,
    /// The newest one of which some tier has a verified copy: what is newer may turn out damaged.
    pub newest_verified: Option<Step>,
    /// How many tiers the run's policy wants verified copies on before the last may go; 1 or more.
    pub wanted_copies: u32,
    /// A restore, an upload or another reader uses this checkpoint now.
    pub being_read: bool,
}

/// What the guard says to one prune of a plan, with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The checkpoint's step.
    pub step: Step,
    /// Whether it would be accepted.
    pub allowed: bool,
    /// Why, or why not.
    pub because: String,
}

/// Why a checkpoint must keep a verified copy, if it must.
pub fn must_keep(checkpoint: &Checkpoint, around: &Surroundings) -> Option<String> {
    if checkpoint.pinned() {
        let by: Vec<&str> = checkpoint.pins.iter().filter(|p| p.until.is_none()).map(|p| p.by.as_str()).collect();
        return Some(format!("it is pinned by {}", by.join(", ")));
    }
    if around.newest_verified == Some(checkpoint.step) {
        return Some("it is the newest complete checkpoint with a verified copy".into());
    }
    match around.newest_complete {
        Some(newest) if newest == checkpoint.step => {
            return Some("it is the newest complete checkpoint".into());
        }
        Some(newest) if checkpoint.step > newest => {
            return Some("it is newer than the newest complete one".into());
        }
        None => return Some("the run has no complete checkpoint yet".into()),
        Some(_) => {}
    }
    if around.being_read {
        return Some("it is being read or restored".into());
    }
    // Shards of an abandoned step can never become whole again: no copy of them is worth waiting for.
    if checkpoint.complete.is_some() && checkpoint.copies_met.is_none() && around.wanted_copies > 1 {
        return Some(format!("its policy wants {} verified copies and it never had them", around.wanted_copies));
    }
    None
}

/// Whether the checkpoint's bytes on `tier` may go. The answer's text says why, for people.
///
/// # Errors
/// `unnecessary` if nothing is there, `unavailable` while it is read, `would-lose-data` with the rule otherwise.
pub fn admit_prune(checkpoint: &Checkpoint, tier: Tier, around: &Surroundings) -> Result<String, Refusal> {
    let name = format!("{} step {}", checkpoint.run, checkpoint.step);
    // Only here: object storage may hold one that is whole, of another host or not yet found.
    if tier == Tier::Nvme && checkpoint.gone() && checkpoint.lost() {
        return Ok("nothing is left of it but its name: it was found damaged".into());
    }
    if !checkpoint.present(tier) {
        return Err(Refusal::new(Why::Unnecessary, format!("{name} has nothing on {}", tier.name())));
    }
    if around.being_read {
        return Err(Refusal::new(Why::Unavailable, format!("{name} is being read or restored")));
    }
    if tier == Tier::Object
        && let Some(by) = checkpoint.needed_by()
    {
        let message = format!("{name}: step {by} is kept there as differences from it and would be lost with it");
        return Err(Refusal::new(Why::WouldLoseData, message));
    }
    // What is left of a checkpoint that can't be restored protects nothing. In object storage only where a copy was found
    // damaged, which is known by its bytes.
    let damaged_there =
        checkpoint.shards.values().any(|shard| shard.copy(tier).is_some_and(|it| it.verified.is_none()));
    if checkpoint.lost() && !checkpoint.pinned() && (tier == Tier::Nvme || damaged_there) {
        return Ok("it is lost: some of its bytes are nowhere".into());
    }
    let elsewhere = checkpoint.verified_tiers().find(|other| *other != tier);
    match (must_keep(checkpoint, around), elsewhere) {
        (Some(rule), None) => {
            let message = format!("{name}: {rule}, and no other tier than {} holds a verified copy", tier.name());
            Err(Refusal::new(Why::WouldLoseData, message))
        }
        (Some(rule), Some(other)) => Ok(format!("{rule}, but a verified copy stays on {}", other.name())),
        (None, Some(other)) => Ok(format!("a verified copy stays on {}", other.name())),
        (None, None) => Ok("no rule wants it kept".into()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Pin, Shard, Timestamp};

    fn checkpoint(nvme: Option<bool>, object: Option<bool>, ranks: u64) -> Checkpoint {
        let step = 10_u64.try_into().unwrap();
        let mut made = Checkpoint::new("r".parse().unwrap(), step, 2_u64.try_into().unwrap(), Timestamp(0));
        for rank in 0..ranks {
            let rank = rank.try_into().unwrap();
            let mut shard = Shard { rank, bytes: 1, files: 1, committed: 1, body: None, copies: vec![] };
            for (tier, copy) in [(Tier::Nvme, nvme), (Tier::Object, object)] {
                if let Some(verified) = copy {
                    shard.add_copy(tier, 1, verified);
                }
            }
            made.shards.insert(rank, shard);
        }
        made.complete = made.has_all_ranks().then_some(1);
        made
    }

    fn around(newest: u64) -> Surroundings {
        let newest = newest.try_into().ok();
        Surroundings { newest_complete: newest, newest_verified: newest, wanted_copies: 1, being_read: false }
    }

    #[test]
    fn the_newest_complete_checkpoint_keeps_its_last_verified_copy() {
        let only = checkpoint(Some(true), None, 2);
        assert_eq!(admit_prune(&only, Tier::Nvme, &around(10)).unwrap_err().why, Why::WouldLoseData);
        let both = checkpoint(Some(true), Some(true), 2);
        assert!(admit_prune(&both, Tier::Nvme, &around(10)).is_ok());
        let unverified = checkpoint(Some(true), Some(false), 2);
        assert!(admit_prune(&unverified, Tier::Nvme, &around(10)).is_err());
    }

    #[test]
    fn the_base_of_a_copy_that_is_kept_stays_in_object_storage() {
        let mut base = checkpoint(Some(true), Some(true), 2);
        base.note_need(11_u64.try_into().unwrap(), true, 5);
        let refused = admit_prune(&base, Tier::Object, &around(20)).unwrap_err();
        assert_eq!(refused.why, Why::WouldLoseData);
        assert!(refused.message.contains("step 11"), "{}", refused.message);
        assert!(admit_prune(&base, Tier::Nvme, &around(20)).is_ok(), "what is here is nobody's base");
        base.note_need(11_u64.try_into().unwrap(), false, 6);
        assert!(admit_prune(&base, Tier::Object, &around(20)).is_ok());
    }

    #[test]
    fn an_old_one_may_go_unless_pinned_read_or_short_of_copies() {
        let old = checkpoint(Some(true), None, 2);
        assert!(admit_prune(&old, Tier::Nvme, &around(20)).is_ok());
        let mut pinned = old.clone();
        pinned.pins.push(Pin { by: "operator".into(), reason: "paper".into(), since: 1, until: None });
        assert!(admit_prune(&pinned, Tier::Nvme, &around(20)).unwrap_err().message.contains("pinned by operator"));
        let read = Surroundings { being_read: true, ..around(20) };
        assert_eq!(admit_prune(&old, Tier::Nvme, &read).unwrap_err().why, Why::Unavailable);
        let two = Surroundings { wanted_copies: 2, ..around(20) };
        assert_eq!(admit_prune(&old, Tier::Nvme, &two).unwrap_err().why, Why::WouldLoseData);
    }

    #[test]
    fn of_what_is_lost_only_the_name_goes() {
        let mut lost = checkpoint(Some(true), None, 2);
        for rank in 0..2 {
            lost.damaged(Tier::Nvme, u64::from(rank as u32).try_into().unwrap(), 5);
            assert!(lost.lost() && lost.known());
        }
        assert!(lost.gone() && admit_prune(&lost, Tier::Nvme, &around(10)).is_ok());
        lost.give_up();
        assert!(!lost.known());
        assert_eq!(admit_prune(&lost, Tier::Nvme, &around(10)).unwrap_err().why, Why::Unnecessary);
        // What somebody let go after another copy was found damaged is not lost.
        let mut pruned = checkpoint(Some(true), Some(true), 1);
        pruned.damaged(Tier::Nvme, 0_u64.try_into().unwrap(), 5);
        assert!(!pruned.lost());
        pruned.shards.values_mut().for_each(|shard| shard.drop_copy(Tier::Object, 6));
        assert!(pruned.gone() && !pruned.lost());
    }

    #[test]
    fn an_abandoned_step_may_go_once_a_newer_one_is_complete() {
        let half = checkpoint(Some(true), None, 1);
        let two = Surroundings { wanted_copies: 2, ..around(20) };
        assert!(admit_prune(&half, Tier::Nvme, &two).is_ok());
        assert!(admit_prune(&half, Tier::Nvme, &around(5)).is_err());
        let none = Surroundings { newest_complete: None, newest_verified: None, ..around(5) };
        assert!(admit_prune(&half, Tier::Nvme, &none).is_err());
    }

    #[test]
    fn while_the_newest_is_not_verified_the_newest_verified_one_stays_as_well() {
        let old = checkpoint(Some(true), None, 2);
        let rotten = Surroundings { newest_verified: old.step.into(), ..around(20) };
        assert_eq!(admit_prune(&old, Tier::Nvme, &rotten).unwrap_err().why, Why::WouldLoseData);
        let twice = checkpoint(Some(true), Some(true), 2);
        assert!(admit_prune(&twice, Tier::Nvme, &rotten).is_ok());
    }

    proptest! {
        #[test]
        fn what_must_be_kept_never_loses_its_last_verified_copy(
            nvme in any::<Option<bool>>(), object in any::<Option<bool>>(), ranks in 1u64..3, newest in 5u64..15,
            verified in 5u64..15, wanted in 1u32..3, met in any::<bool>(), damaged in any::<bool>(),
            pinned in any::<bool>(), being_read in any::<bool>(), from_nvme in any::<bool>(),
        ) {
            let mut it = checkpoint(nvme, object, ranks);
            it.copies_met = met.then_some(1);
            if damaged {
                it.damaged(Tier::Object, 0.try_into().unwrap(), 1);
            }
            if pinned {
                it.pins.push(Pin { by: "b".into(), reason: "r".into(), since: 1, until: None });
            }
            let around = Surroundings {
                newest_complete: newest.try_into().ok(),
                newest_verified: verified.try_into().ok(),
                wanted_copies: wanted,
                being_read,
            };
            let tier = if from_nvme { Tier::Nvme } else { Tier::Object };
            // Of what is lost as a whole nothing is worth keeping.
            if !it.lost() && admit_prune(&it, tier, &around).is_ok() {
                for shard in it.shards.values_mut() {
                    shard.drop_copy(tier, 2);
                }
                if must_keep(&it, &around).is_some() {
                    prop_assert!(it.verified_tiers().next().is_some());
                }
            }
        }
    }
}
