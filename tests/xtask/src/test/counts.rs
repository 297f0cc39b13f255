//! How many tests passed and failed, read from what their runners print.

use std::ops::AddAssign;

/// Tests that passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: u64,
    pub(super) failed: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// The last summary of nextest: `Summary [  1.2s] 12 tests run: 10 passed (1 slow), 1 failed, 1 timed out, 3 skipped`.
pub(super) fn nextest(output: &str) -> (Counts, Option<String>) {
    let Some(line) = output.lines().rfind(|l| l.trim_start().starts_with("Summary [")) else {
        return (Counts::default(), None);
    };
    let of = |word: &str| number_before(line, word);
    let counts = Counts { passed: of(" passed"), failed: of(" failed") + of(" timed out") + of(" exec failed") };
    (counts, Some(line.trim().to_owned()))
}

/// All the summaries of libtest: `test result: ok. 3 passed; 0 failed; 1 ignored; ...`, one for each binary.
pub(super) fn libtest(output: &str) -> (Counts, Option<String>) {
    let (mut counts, mut ignored, mut binaries) = (Counts::default(), 0, 0);
    for line in output.lines().filter(|l| l.starts_with("test result: ")) {
        counts += Counts { passed: number_before(line, " passed"), failed: number_before(line, " failed") };
        ignored += number_before(line, " ignored");
        binaries += 1;
    }
    let Counts { passed, failed } = counts;
    let word = if failed == 0 { "ok" } else { "FAILED" };
    let summary =
        format!("test result: {word}. {passed} passed; {failed} failed; {ignored} ignored; {binaries} binaries");
    (counts, (binaries > 0).then_some(summary))
}

/// Python's unittest: `Ran 12 tests in 0.1s`, then `OK (skipped=1)` or `FAILED (failures=1, errors=2)`.
pub(super) fn unittest(output: &str) -> (Counts, Option<String>) {
    let Some(ran) = output.lines().rfind(|l| l.starts_with("Ran ")) else { return (Counts::default(), None) };
    let verdict = output.lines().rfind(|l| l.starts_with("OK") || l.starts_with("FAILED")).unwrap_or_default();
    let of = |word: &str| number_after(verdict, word);
    let failed = of("failures=") + of("errors=") + of("unexpected successes=");
    let all = number_after(ran, "Ran ");
    // A class whose set-up failed is an error without a test that ran.
    let passed = all.saturating_sub(failed + of("skipped="));
    (Counts { passed, failed }, Some(format!("{ran}: {verdict}")))
}

/// The number right before the first `word`, or 0.
fn number_before(line: &str, word: &str) -> u64 {
    let before = line.split_once(word).map(|(before, _)| before).unwrap_or_default();
    let digits = before.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().unwrap_or(0)
}

/// The number right behind the first `word`, or 0.
fn number_after(line: &str, word: &str) -> u64 {
    let after = line.split_once(word).map(|(_, after)| after).unwrap_or_default();
    let digits = after.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64) -> Counts {
        Counts { passed, failed }
    }

    #[test]
    fn the_summary_of_nextest_is_read() {
        let good = "     Summary [   4.327s] 128 tests run: 128 passed (2 slow), 3 skipped\n";
        assert_eq!(nextest(good).0, counts(128, 0));
        let bad = "   Summary [ 1.0s] 12/20 tests run: 9 passed, 2 failed, 1 timed out, 3 skipped\n  FAIL x\n";
        assert_eq!(nextest(bad).0, counts(9, 3));
        assert_eq!(nextest("error: could not compile\n"), (counts(0, 0), None));
    }

    #[test]
    fn the_summaries_of_all_binaries_are_added() {
        let output = "test a ... ok\n\
            test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
            test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";
        let (sum, summary) = libtest(output);
        assert_eq!(sum, counts(13, 2));
        assert!(summary.unwrap().starts_with("test result: FAILED. 13 passed; 2 failed; 1 ignored"));
    }

    #[test]
    fn the_verdict_of_unittest_is_read() {
        let good = "......\n----\nRan 6 tests in 0.012s\n\nOK (skipped=1)\n";
        assert_eq!(unittest(good).0, counts(5, 0));
        let bad = "Ran 6 tests in 0.012s\n\nFAILED (failures=1, errors=2)\n";
        assert_eq!(unittest(bad).0, counts(3, 3));
        assert_eq!(unittest("No module named unittest\n").0, counts(0, 0));
    }
}
