//! What stays and why: a function of the checkpoints and the settings, and of nothing else.

use std::collections::HashSet;

use tidegate_sdk::{Checkpoint, Tier};

use crate::{KeepBest, Mode, Settings};

/// What becomes of a checkpoint's bytes on a tier, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// They stay, by this rule.
    Keep(String),
    /// They go, since none of these rules holds.
    Prune(String),
}

/// The verdict on each checkpoint of a run that has bytes on `tier`. `newest_first` holds all that are known of the
/// run: one that is only elsewhere counts among the last and the best, too.
pub fn decide<'a>(newest_first: &'a [Checkpoint], tier: Tier, settings: &Settings) -> Vec<(&'a Checkpoint, Verdict)> {
    let complete: Vec<&Checkpoint> = newest_first.iter().filter(|it| it.complete).collect();
    let newest = complete.first().map(|it| it.step);
    let last: HashSet<u64> = complete.iter().take(settings.keep_last).map(|it| it.step).collect();
    let best = settings.keep_best.as_ref().map(|rule| (rule, best_steps(&complete, rule)));

    let verdict = |it: &Checkpoint| {
        if it.pinned {
            return Verdict::Keep("pinned".into());
        }
        if !it.complete {
            return match newest {
                Some(newest) if it.step < newest => {
                    Verdict::Prune(format!("abandoned: not every rank has committed it, and step {newest} is complete"))
                }
                _ => Verdict::Keep("may still become complete".into()),
            };
        }
        let mut rules = vec![(last.contains(&it.step), format!("among the last {}", settings.keep_last))];
        if let Some(multiple) = it.step.checked_rem(settings.keep_every) {
            rules.push((multiple == 0, format!("a multiple of {}", settings.keep_every)));
        }
        if let Some((rule, steps)) = &best {
            rules.push((steps.contains(&it.step), format!("in the best {} by {}", rule.count, rule.metric)));
        }
        if let Some((_, words)) = rules.iter().find(|(holds, _)| *holds) {
            return Verdict::Keep(words.clone());
        }
        if settings.wait_for_copy && tier == Tier::Nvme && !it.is_verified(Tier::Object) {
            return Verdict::Keep("waits for a verified copy on object storage".into());
        }
        Verdict::Prune(rules.iter().map(|(_, words)| format!("not {words}")).collect::<Vec<_>>().join(", "))
    };
    newest_first.iter().filter(|it| it.is_present(tier)).map(|it| (it, verdict(it))).collect()
}

/// The steps with the best values. Of equal ones the newer is better; one without the metric is never among them.
fn best_steps(newest_first: &[&Checkpoint], rule: &KeepBest) -> HashSet<u64> {
    let valued = newest_first.iter().filter_map(|it| it.metric(&rule.metric).map(|value| (value, it.step)));
    let mut valued: Vec<(f64, u64)> = valued.collect();
    // The sort keeps the order of equals, which is newest first.
    valued.sort_by(|(a, _), (b, _)| match rule.mode {
        Mode::Min => a.total_cmp(b),
        Mode::Max => b.total_cmp(a),
    });
    valued.into_iter().take(rule.count).map(|(_, step)| step).collect()
}
