//! What the demo prints at its end.

use std::fmt::Write;

use tidegate_tests_support::{
    first_light::{Plan, Report, Save},
    stats::Spread,
};

/// More than this over write + fsync is said to be slow.
const AIM: f64 = 1.05;

/// The table, ready to print.
pub(super) fn render(plan: &Plan, report: &Report, object: &str) -> String {
    let mut text = String::from("\n");
    let mut line = |left: &str, right: String| {
        // Writing to a text can't fail.
        let _ = writeln!(text, "{}", format!("{left:<34}  {right}").trim_end());
    };
    losses(plan, report, &mut line);
    line("", String::new());
    let overhead = stalls(report, &mut line);
    line("", String::new());
    copies(report, object, &mut line);
    line("", String::new());
    prunings(report, &mut line);
    for trouble in &report.trouble {
        line("a job was not plain sailing", trouble.clone());
    }
    line("", String::new());
    let comparison = &report.comparison;
    let verdict = if comparison.holds() {
        format!(
            "Every loss after the resume equals that of the uninterrupted run, bit for bit. {}",
            if overhead <= AIM {
                format!("A save costs the trainer {overhead:.2} times a plain write + fsync.")
            } else {
                format!("SLOW: a save costs the trainer {overhead:.2} times a plain write + fsync; the aim is {AIM}.")
            }
        )
    } else {
        format!(
            "FAILED: {} of {} losses are not those of the uninterrupted run.",
            comparison.differing.len(),
            comparison.compared
        )
    };
    text + &verdict + "\n"
}

fn losses(plan: &Plan, report: &Report, line: &mut impl FnMut(&str, String)) {
    let it = &report.comparison;
    let equal = it.compared.saturating_sub(it.differing.len());
    line(
        "losses, bit for bit",
        format!("{equal} of {} equal, {} of them after the resume", it.compared, it.after_resume),
    );
    line("", format!("from {:.4} to {:.4} nats a byte in {} steps", it.first, it.last, plan.steps));
    let (crash, resumed) = (plan.crash_at, report.resumed_from);
    line("killed, lost, resumed", format!("rank 1 in its save of step {crash}; then both from step {resumed}"));
    for difference in it.differing.iter().take(10) {
        let (wanted, found) = (difference.wanted.as_deref(), difference.found.as_deref());
        let (none, step, rank) = ("nothing", difference.step, difference.rank);
        let text = format!("step {step} rank {rank}: {} instead of {}", found.unwrap_or(none), wanted.unwrap_or(none));
        line("  DIFFERENT", text);
    }
}

/// Returns the overhead.
fn stalls(report: &Report, line: &mut impl FnMut(&str, String)) -> f64 {
    let of = |saves: &[Save], part: fn(&Save) -> f64| Report::stall(saves, part);
    let (ours, plain) = (of(&report.saves, |save| save.total_s), of(&report.plain, |save| save.total_s));
    let bytes = Spread::of(report.saves.iter().map(|save| save.bytes as f64)).median;
    line("save stall, by the trainer's clock", format!("{} a rank and save; median, least .. most", size(bytes)));
    line("  Tidegate", seconds(&ours));
    type Stage = fn(&Save) -> f64;
    let stages: [(&str, Stage); 3] =
        [("begin", |save| save.begin_s), ("write", |save| save.write_s), ("commit", |save| save.commit_s)];
    for (name, part) in stages {
        line(
            &format!("    {name}"),
            format!("{:30}  plain {}", seconds(&of(&report.saves, part)), seconds(&of(&report.plain, part))),
        );
    }
    line("  plain write + fsync", seconds(&plain));
    let overhead = ours.median / plain.median;
    line("  Tidegate / plain", format!("{overhead:.2}"));
    overhead
}

fn copies(report: &Report, object: &str, line: &mut impl FnMut(&str, String)) {
    let durable = Spread::of(report.durable_s.iter().copied());
    line("commit to verified copy", format!("{} in {object}", seconds(&durable)));
    line("bytes shipped", format!("{} in {} checkpoints", size(report.shipped as f64), durable.count));
    line("tier that was deleted", size(report.tier_bytes as f64));
    line("host ready without its tier", format!("{:.2} s", report.restart_s));
    let restore = Spread::of(report.restores.iter().map(|restore| restore.restore_s));
    let bytes = Spread::of(report.restores.iter().map(|restore| restore.bytes as f64)).median;
    line("restore from object storage", format!("{}, {} each, two at once", seconds(&restore), size(bytes)));
    if let Some(memory) = report.host_memory {
        line("host's memory at most", size(memory as f64));
    }
}

fn prunings(report: &Report, line: &mut impl FnMut(&str, String)) {
    line("pruned", format!("{} checkpoints", report.pruned.len()));
    for it in &report.pruned {
        let text = format!("from {}, {}, asked by {}: {}", it.tier, size(it.bytes as f64), it.by, it.reason);
        line(&format!("  step {}", it.step), text);
    }
}

fn seconds(spread: &Spread) -> String {
    let Spread { count, median, least, most } = spread;
    let (unit, by) = if *median < 1.0 { ("ms", 1000.0) } else { ("s", 1.0) };
    format!("{:.1} {unit}  {:.1} .. {:.1}  n={count}", median * by, least * by, most * by)
}

fn size(bytes: f64) -> String {
    if bytes < 1e6 { format!("{:.1} kB", bytes / 1e3) } else { format!("{:.1} MB", bytes / 1e6) }
}

#[cfg(test)]
mod tests {
    use tidegate_tests_support::first_light::{Comparison, Difference, Model};

    use super::*;

    fn save(total_s: f64) -> Save {
        Save { step: 4, rank: 0, bytes: 64, begin_s: 0.0, write_s: total_s, commit_s: 0.0, total_s, first: true }
    }

    fn report() -> Report {
        let comparison = Comparison { compared: 2, after_resume: 2, first: 5.5, last: 3.0, ..Comparison::default() };
        Report { comparison, saves: vec![save(0.2)], plain: vec![save(0.1)], ..Report::default() }
    }

    fn rendered(report: &Report) -> String {
        render(&Plan::new(Model::Small, std::path::Path::new("/nowhere")), report, "a directory")
    }

    #[test]
    fn what_is_slow_is_said_to_be_slow() {
        assert!(rendered(&report()).contains("SLOW: a save costs the trainer 2.00 times"));
    }

    #[test]
    fn a_difference_is_shown_and_is_the_verdict() {
        let mut report = report();
        report.comparison.differing.push(Difference { step: 9, rank: 1, wanted: Some("0x1p+1".into()), found: None });
        let text = rendered(&report);
        assert!(text.contains("step 9 rank 1: nothing instead of 0x1p+1"), "{text}");
        assert!(text.ends_with("FAILED: 1 of 2 losses are not those of the uninterrupted run.\n"), "{text}");
    }
}
