//! Patterns over the names of runs: the whole language of them, in one place.
//!
//! | in a pattern | stands for |
//! | --- | --- |
//! | `*` | any characters, also none |
//! | `?` | one character |
//! | `A-Z a-z 0-9 . _ -` | itself |
//!
//! A pattern is about the whole name. Nothing else may stand in one: no classes (`[a-c]`), no alternatives (`{a,b}`), no
//! escapes; a list of patterns says as much.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{InvalidName, limits, quoted};

const RULE: &str =
    "use 1 to 128 of A-Z a-z 0-9 . _ - and * (any characters) and ? (one character); several go into the list";

/// A pattern. One in a record may be older than the rules, and is matched as it stands; every door asks [`Glob::check`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Glob(pub String);

impl Glob {
    /// Whether it is one: see the language above.
    ///
    /// # Errors
    /// [`InvalidName`] with what may stand in a pattern.
    pub fn check(&self) -> Result<(), InvalidName> {
        let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'*' | b'?');
        if (1..=limits::NAME_BYTES).contains(&self.0.len()) && self.0.bytes().all(known) {
            return Ok(());
        }
        Err(InvalidName { what: "run pattern", shown: quoted(&self.0).to_string(), rule: RULE })
    }

    /// Whether the whole of `name` fits. Takes at most as many steps as the two lengths multiplied, and no memory.
    pub fn matches(&self, name: &str) -> bool {
        self.takes(name, |_| true)
    }

    /// Whether every name that fits `other` fits this one, as far as one look at the two can tell: each `*` of `other` must
    /// stand under a `*` of this one, each `?` under a `*` or `?`, all else under itself or one of the two. True is always
    /// right; false may be wrong where wildcards stand side by side, as for `?*` and `*?`.
    pub fn covers(&self, other: &Self) -> bool {
        self.takes(&other.0, |c| c != b'*')
    }

    /// Whether the whole of `name` fits, where `?` stands for one of `any`.
    fn takes(&self, name: &str, any: impl Fn(u8) -> bool) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        // On a mismatch the last `*` takes one character more. What an earlier one took is never looked at again: if the
        // rest fits behind another place of it, it fits behind this one, too.
        let (mut p, mut n, mut star) = (0, 0, None);
        while let Some(&at) = name.get(n) {
            match pattern.get(p) {
                Some(b'*') => {
                    star = Some((p, n));
                    p += 1;
                }
                Some(&c) if c == at || (c == b'?' && any(at)) => {
                    p += 1;
                    n += 1;
                }
                _ => match star {
                    Some((place, taken)) => {
                        star = Some((place, taken + 1));
                        p = place + 1;
                        n = taken + 1;
                    }
                    None => return false,
                },
            }
        }
        pattern.iter().skip(p).all(|c| *c == b'*')
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A list of patterns that can't be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadGlobs {
    /// More than [`limits::GLOBS`].
    #[error("{field}: {count} patterns where at most {} are taken", limits::GLOBS)]
    TooMany {
        /// The list, such as `grants.read`.
        field: &'static str,
        /// Patterns in it.
        count: usize,
    },
    /// One of them is none.
    #[error("{field}[{nth}]: {why}")]
    Invalid {
        /// The list.
        field: &'static str,
        /// Which of it, from 0.
        nth: usize,
        /// What is wrong with it.
        why: InvalidName,
    },
}

/// Checks a list of patterns: at most [`limits::GLOBS`], each as [`Glob::check`] has it.
pub(crate) fn check_all(field: &'static str, globs: &[Glob]) -> Result<(), BadGlobs> {
    if globs.len() > limits::GLOBS {
        return Err(BadGlobs::TooMany { field, count: globs.len() });
    }
    let mut all = globs.iter().enumerate();
    all.try_for_each(|(nth, glob)| glob.check().map_err(|why| BadGlobs::Invalid { field, nth, why }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn globs_match_whole_names() {
        for (glob, name, fits) in [
            ("*", "anything", true),
            ("gpt-*", "gpt-1b", true),
            ("gpt-*", "my-gpt-1b", false),
            ("*-a*b", "x-a-a-b", true),
            ("g?t", "gpt", true),
            ("g?t", "gt", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(Glob(glob.into()).matches(name), fits, "{glob} on {name}");
        }
    }

    #[test]
    fn a_pattern_covers_narrower_ones() {
        for (wide, narrow, covers) in [
            ("*", "gpt-*", true),
            ("gpt-*", "gpt-4*", true),
            ("gpt-*", "gpt-4", true),
            ("gpt-*", "gpt-*", true),
            ("g?t", "gpt", true),
            ("g?t", "g?t", true),
            ("gpt-4*", "gpt-*", false),
            ("g?t", "g*t", false),
            ("g?t*", "g*t", false),
            ("gpt", "g?t", false),
            ("*a", "a*", false),
        ] {
            assert_eq!(Glob(wide.into()).covers(&Glob(narrow.into())), covers, "{wide} over {narrow}");
        }
    }

    #[test]
    fn what_is_no_part_of_the_language_is_refused_with_what_is() {
        for good in ["*", "?", "gpt-*", "a.b_c-?", &"x".repeat(128)] {
            assert_eq!(Glob(good.to_owned()).check(), Ok(()), "{good}");
        }
        for bad in ["", "gpt-[0-9]", "{a,b}", "a\\*", "a b", "a/b", "ä", "a\0", "!a", &"x".repeat(129)] {
            let said = Glob(bad.to_owned()).check().unwrap_err().to_string();
            assert!(said.contains("* (any characters)") && said.len() < 300, "{bad}: {said}");
        }
    }

    #[test]
    fn a_list_has_a_bound_and_names_the_pattern_that_is_none() {
        let globs = vec![Glob("*".into()); limits::GLOBS];
        assert_eq!(check_all("grants.read", &globs), Ok(()));
        let more = [globs.as_slice(), &[Glob("a".into())]].concat();
        let said = check_all("grants.read", &more).unwrap_err().to_string();
        assert_eq!(said, "grants.read: 65 patterns where at most 64 are taken");
        let said = check_all("grants.pin", &[Glob("*".into()), Glob("[".into())]).unwrap_err().to_string();
        assert!(said.starts_with("grants.pin[1]: run pattern \"[\" is not valid"), "{said}");
    }

    /// The definition, written down as it is: a table of which starts of the pattern fit which starts of the name.
    fn fits(pattern: &[u8], name: &[u8]) -> bool {
        let mut table = vec![vec![false; name.len() + 1]; pattern.len() + 1];
        table[0][0] = true;
        for p in 1..=pattern.len() {
            for n in 0..=name.len() {
                table[p][n] = match pattern[p - 1] {
                    b'*' => table[p - 1][n] || (n > 0 && table[p][n - 1]),
                    b'?' => n > 0 && table[p - 1][n - 1],
                    c => n > 0 && c == name[n - 1] && table[p - 1][n - 1],
                };
            }
        }
        table[pattern.len()][name.len()]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn matching_is_what_the_definition_says(pattern in "[ab*?]{0,12}", name in "[ab]{0,14}") {
            let (found, expected) = (Glob(pattern.clone()).matches(&name), fits(pattern.as_bytes(), name.as_bytes()));
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn what_fits_a_covered_pattern_fits_the_one_that_covers_it(
            wide in "[ab*?]{0,6}", narrow in "[ab*?]{0,6}", filled in proptest::collection::vec("[ab]{0,3}", 6),
        ) {
            let covers = Glob(wide.clone()).covers(&Glob(narrow.clone()));
            let mut filled = filled.iter();
            let name: String = narrow.chars().map(|c| match c {
                '*' => filled.next().unwrap().clone(),
                '?' => "b".into(),
                c => c.into(),
            }).collect();
            prop_assert!(!covers || fits(wide.as_bytes(), name.as_bytes()), "{} under {}: {}", narrow, wide, name);
        }
    }

    #[test]
    fn the_worst_pattern_of_its_length_ends() {
        // A matcher that tries every way of every `*` needs more steps than there is time.
        let pattern = Glob(format!("{}b", "a*".repeat(63)));
        assert_eq!(pattern.check(), Ok(()));
        assert!(!pattern.matches(&"a".repeat(limits::NAME_BYTES)));
    }
}
