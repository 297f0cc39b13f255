//! What goes when there is too much.

use super::dir::File;

/// The names to remove so that what stays has at most so many bytes and files: what was used least lately first, never
/// `newest`.
pub(super) fn plan(mut kept: Vec<File>, newest: &str, bytes: u64, entries: usize) -> Vec<String> {
    let mut total: u64 = kept.iter().map(|file| file.bytes).sum();
    let mut count = kept.len();
    kept.sort_by(|a, b| (a.used, &a.name).cmp(&(b.used, &b.name)));
    let mut gone = Vec::new();
    for file in kept.into_iter().filter(|file| file.name != newest) {
        if total <= bytes && count <= entries {
            break;
        }
        total -= file.bytes;
        count -= 1;
        gone.push(file.name);
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, bytes: u64, used: i64) -> File {
        File { name: name.into(), bytes, used: (used, 0) }
    }

    #[test]
    fn the_oldest_go_until_the_rest_fits_and_the_newest_stays() {
        let kept = || vec![file("c", 30, 3), file("a", 10, 1), file("d", 40, 4), file("b", 20, 1)];
        assert!(plan(kept(), "d", 100, 4).is_empty());
        assert_eq!(plan(kept(), "d", 99, 4), ["a"]);
        assert_eq!(plan(kept(), "d", 71, 4), ["a", "b"]);
        assert_eq!(plan(kept(), "d", 100, 2), ["a", "b"]);
        assert_eq!(plan(kept(), "a", 0, 0), ["b", "c", "d"], "what was just made is not unmade");
    }
}
