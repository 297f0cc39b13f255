//! Entries come back whole, from this host, for this component and this engine; or not at all.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{
    put::{Step, steps},
    *,
};
use tidegate_core::Digest;

fn entry(component: &str) -> Entry {
    Entry { component: Digest::of(component.as_bytes()), engine: [7; 32] }
}

fn code(text: &str) -> Code {
    Code::of_cache(text.as_bytes().to_vec())
}

/// A cache with one entry, and the entry's file.
fn with_one() -> (TempDir, Cache, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let cache = Cache::open(&CacheOptions::new(home.path().join("compiled"))).unwrap();
    cache.keep(&entry("a"), &code("code of a"));
    let file = home.path().join("compiled").join(entry("a").name());
    (home, cache, file)
}

fn got(cache: &Cache, of: &Entry) -> Option<String> {
    cache.get(of).map(|code| String::from_utf8(code.bytes().to_vec()).unwrap())
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn what_was_kept_is_there_at_the_next_start() {
    let (home, cache, file) = with_one();
    assert_eq!(got(&cache, &entry("a")).as_deref(), Some("code of a"));
    drop(cache);
    let cache = Cache::open(&CacheOptions::new(home.path().join("compiled"))).unwrap();
    assert_eq!(got(&cache, &entry("a")).as_deref(), Some("code of a"));
    assert_eq!(got(&cache, &entry("b")), None);
    assert_eq!(got(&cache, &Entry { engine: [8; 32], ..entry("a") }), None, "another engine has other code");
    assert_eq!((mode(&home.path().join("compiled")), mode(&file)), (0o700, 0o600));
    assert_eq!(mode(&home.path().join("compiled/key")), 0o600);
}

#[test]
fn a_file_with_any_bit_flipped_is_removed() {
    let (_home, cache, file) = with_one();
    let whole = fs::read(&file).unwrap();
    for bit in 0..whole.len() * 8 {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(&file, damaged).unwrap();
        assert_eq!(got(&cache, &entry("a")), None, "bit {bit}");
        assert!(!file.exists(), "bit {bit}");
        cache.keep(&entry("a"), &code("code of a"));
    }
    assert_eq!(got(&cache, &entry("a")).as_deref(), Some("code of a"));
}

#[test]
fn a_file_that_is_cut_or_longer_is_removed() {
    let (_home, cache, file) = with_one();
    let whole = fs::read(&file).unwrap();
    for length in (0..whole.len()).chain([whole.len() + 1]) {
        let mut other = whole.clone();
        other.resize(length, 0);
        fs::write(&file, other).unwrap();
        assert_eq!(got(&cache, &entry("a")), None, "{length} bytes");
        assert!(!file.exists(), "{length} bytes");
        cache.keep(&entry("a"), &code("code of a"));
    }
}

#[test]
fn an_entry_under_another_ones_name_is_removed() {
    let (home, cache, file) = with_one();
    for other in [entry("b"), Entry { engine: [8; 32], ..entry("a") }] {
        let swapped = home.path().join("compiled").join(other.name());
        fs::copy(&file, &swapped).unwrap();
        assert_eq!(got(&cache, &other), None);
        assert!(!swapped.exists());
    }
    assert_eq!(got(&cache, &entry("a")).as_deref(), Some("code of a"));
}

#[test]
fn an_entry_of_another_host_is_removed() {
    let (_home, cache, file) = with_one();
    let (_there, _theirs, foreign) = with_one();
    fs::copy(foreign, &file).unwrap();
    assert_eq!(got(&cache, &entry("a")), None);
    assert!(!file.exists());
}

#[test]
fn with_another_key_or_none_every_entry_is_made_again() {
    for damage in [None, Some(vec![1; 32]), Some(vec![1; 31]), Some(Vec::new()), Some(vec![1; 5000])] {
        let (home, cache, file) = with_one();
        drop(cache);
        let key = home.path().join("compiled/key");
        match damage {
            None => fs::remove_file(&key).unwrap(),
            Some(bytes) => fs::write(&key, bytes).unwrap(),
        }
        let cache = Cache::open(&CacheOptions::new(home.path().join("compiled"))).unwrap();
        assert_eq!(got(&cache, &entry("a")), None);
        assert!(!file.exists());
        cache.keep(&entry("a"), &code("again"));
        let cache = Cache::open(&CacheOptions::new(home.path().join("compiled"))).unwrap();
        assert_eq!(got(&cache, &entry("a")).as_deref(), Some("again"), "the new key stays");
    }
}

#[test]
fn a_key_that_others_can_read_is_no_secret_and_replaced() {
    let (home, cache, _) = with_one();
    drop(cache);
    let key = home.path().join("compiled/key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let cache = Cache::open(&CacheOptions::new(home.path().join("compiled"))).unwrap();
    assert_eq!((got(&cache, &entry("a")), mode(&key)), (None, 0o600));
}

#[test]
fn links_are_not_followed() {
    let (home, cache, file) = with_one();
    let outside = home.path().join("outside");
    fs::rename(&file, &outside).unwrap();
    symlink(&outside, &file).unwrap();
    assert_eq!(got(&cache, &entry("a")), None, "an entry");
    assert!(fs::symlink_metadata(&file).is_err() && outside.exists());

    symlink(&outside, &file).unwrap();
    cache.keep(&entry("a"), &code("anew"));
    assert!(!fs::symlink_metadata(&file).unwrap().is_symlink(), "writing replaces a link");
    assert_eq!(got(&cache, &entry("a")).as_deref(), Some("anew"));

    let key = home.path().join("compiled/key");
    fs::rename(&key, home.path().join("stolen")).unwrap();
    symlink(home.path().join("stolen"), &key).unwrap();
    let cache = Cache::open(&CacheOptions::new(home.path().join("compiled"))).unwrap();
    assert_eq!(got(&cache, &entry("a")), None, "the key");
    assert!(!fs::symlink_metadata(&key).unwrap().is_symlink());

    symlink(home.path().join("compiled"), home.path().join("link")).unwrap();
    let error = Cache::open(&CacheOptions::new(home.path().join("link"))).unwrap_err();
    assert!(matches!(&error, Error::Cache(why) if why.contains("a link")), "the directory: {error}");
}

#[test]
fn what_is_no_plain_file_stops_nothing() {
    let (_home, cache, file) = with_one();
    fs::remove_file(&file).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &file, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert_eq!(got(&cache, &entry("a")), None);
    assert!(!file.exists());
    fs::create_dir(&file).unwrap();
    assert_eq!(got(&cache, &entry("a")), None);
    cache.keep(&entry("a"), &code("not possible"));
    assert_eq!(got(&cache, &entry("a")), None);
}

#[test]
fn a_directory_that_others_could_use_is_emptied_and_closed() {
    let (home, cache, file) = with_one();
    drop(cache);
    let dir = home.path().join("compiled");
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o770)).unwrap();
    let cache = Cache::open(&CacheOptions::new(&dir)).unwrap();
    assert_eq!((got(&cache, &entry("a")), mode(&dir)), (None, 0o700));
    assert!(!file.exists());
}

#[test]
fn a_directory_of_another_user_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("compiled");
    fs::create_dir(&dir).unwrap();
    if std::os::unix::fs::chown(&dir, Some(65_534), None).is_err() {
        return println!("only root can give a directory away: not tested");
    }
    let error = Cache::open(&CacheOptions::new(&dir)).unwrap_err();
    assert!(matches!(&error, Error::Cache(why) if why.contains("user 65534")), "{error}");
}

#[test]
fn a_directory_whose_parent_is_missing_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let error = Cache::open(&CacheOptions::new(home.path().join("no/compiled"))).unwrap_err();
    assert!(matches!(&error, Error::Cache(why) if why.contains("no/compiled")), "{error}");
}

/// Ends the writing before each of its steps, as `kill -9` there does, and starts again.
#[test]
fn a_host_killed_at_any_step_leaves_the_old_entry_or_the_new_one() {
    let order = [Step::Create, Step::Write(0), Step::Write(1), Step::Sync, Step::Rename, Step::SyncDir];
    for killed in order {
        for existed in [false, true] {
            let (home, cache, file) = with_one();
            if !existed {
                cache.remove(&entry("a"));
            }
            let new = entry("a").seal(&cache.key, b"new");
            let mut seen = Vec::new();
            let mut before = |step| {
                seen.push(step);
                if step == killed { Err(io::Error::other("killed")) } else { Ok(()) }
            };
            steps(&cache.dir, "1-1.tmp", &entry("a").name(), &[&new, b"new"], &mut before).unwrap_err();
            assert_eq!(seen, order[..seen.len()]);
            drop(cache);
            let cache = Cache::open(&CacheOptions::new(home.path().join("compiled"))).unwrap();
            let old = existed.then_some("code of a");
            let expected = if killed == Step::SyncDir { Some("new") } else { old };
            assert_eq!(got(&cache, &entry("a")).as_deref(), expected, "{killed:?}, {existed}");
            assert!(file.exists() == expected.is_some());
            assert!(names(&home.path().join("compiled")).iter().all(|name| !name.ends_with(".tmp")), "{killed:?}");
        }
    }
}

#[test]
fn what_was_used_least_lately_makes_room() {
    let home = tempfile::tempdir().unwrap();
    let options = CacheOptions { entries: 3, ..CacheOptions::new(home.path().join("compiled")) };
    let cache = Cache::open(&options).unwrap();
    let age = |name: &str, seconds: u64| {
        let file = fs::File::open(options.dir.join(entry(name).name())).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
    };
    for (second, name) in ["a", "b", "c"].into_iter().enumerate() {
        cache.keep(&entry(name), &code(name));
        age(name, second as u64);
    }
    assert!(got(&cache, &entry("a")).is_some(), "now it is the one used last");
    cache.keep(&entry("d"), &code("d"));
    let there = ["a", "b", "c", "d"].map(|name| got(&cache, &entry(name)).is_some());
    assert_eq!(there, [true, false, true, true]);
}

#[test]
fn what_is_larger_than_the_cache_is_not_kept_and_costs_nobody_a_place() {
    let home = tempfile::tempdir().unwrap();
    let options = CacheOptions { bytes: 100, ..CacheOptions::new(home.path().join("compiled")) };
    let cache = Cache::open(&options).unwrap();
    cache.keep(&entry("a"), &code("small"));
    cache.keep(&entry("b"), &code(&"large".repeat(100)));
    assert!(got(&cache, &entry("a")).is_some() && got(&cache, &entry("b")).is_none());
    assert_eq!(names(&options.dir).len(), 2, "the key and one entry");
}

#[test]
fn many_may_open_a_new_directory_at_once_and_share_what_is_in_it() {
    for _ in 0..20 {
        let home = tempfile::tempdir().unwrap();
        let options = CacheOptions::new(home.path().join("compiled"));
        let open = || Cache::open(&options).unwrap();
        let caches: Vec<Cache> = std::thread::scope(|scope| {
            let opening: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            opening.into_iter().map(|opened| opened.join().unwrap()).collect()
        });
        caches[0].keep(&entry("a"), &code("code of a"));
        assert!(caches.iter().all(|cache| got(cache, &entry("a")).is_some()), "one key for all");
    }
}
