//! Components that were compiled before are not compiled again, unless what was kept is not what this host wrote.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use tidegate_sandbox::{CacheOptions, Compiler, Error, Options, Sandbox, Worker};

use crate::{
    compile::worker,
    support::{guest, handle, sandbox_with, small},
};

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn dir(&self) -> PathBuf {
        self.0.path().join("compiled")
    }

    /// A host's next start: what compiles is this.
    fn start(&self, compiler: Compiler) -> Sandbox {
        sandbox_with(Options { compiler, cache: Some(CacheOptions::new(self.dir())), ..small() })
    }

    /// The only entry's file.
    fn entry(&self) -> PathBuf {
        let mut found: Vec<_> = entries(&self.dir()).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }
}

fn entries(dir: &Path) -> impl Iterator<Item = PathBuf> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "code"))
}

/// Compiles nothing: what loads with it comes from the cache.
fn none() -> Compiler {
    Compiler::Worker(Worker { program: "/nonexistent/compiler".into(), ..worker() })
}

#[test]
fn a_restart_compiles_nothing() {
    for compiler in [Compiler::InProcess, Compiler::Worker(worker())] {
        let (home, component) = (Home::new(), guest("", "unreachable"));
        let first = home.start(compiler).load(&component).unwrap();
        let again = home.start(none()).load(&component).unwrap();
        assert_eq!(first.about(), again.about());
        assert_eq!(handle(&first).1.result, handle(&again).1.result);
        let other = home.start(none()).load(&guest("", "")).unwrap_err();
        assert!(matches!(other, Error::Compiler(_)), "{other}");
    }
}

#[test]
fn what_was_damaged_is_compiled_again_and_kept_again() {
    let (home, component) = (Home::new(), guest("", ""));
    home.start(Compiler::InProcess).load(&component).unwrap();
    let whole = fs::read(home.entry()).unwrap();
    let mut seed = 0x51ed_2701_93ac_77d1_u64;
    println!("seed {seed:#x}");
    for _ in 0..200 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut damaged = whole.clone();
        let at = (seed >> 33) as usize % damaged.len();
        if seed & 1 == 0 {
            damaged.truncate(at)
        } else {
            damaged[at] ^= 1 << ((seed >> 29) & 7)
        }
        fs::write(home.entry(), &damaged).unwrap();
        let error = home.start(none()).load(&component).unwrap_err();
        assert!(matches!(error, Error::Compiler(_)), "it went to the compiler: {error}");
        assert_eq!(entries(&home.dir()).count(), 0);
        home.start(Compiler::InProcess).load(&component).unwrap();
        assert_eq!(fs::read(home.entry()).unwrap().len(), whole.len());
    }
}

#[test]
fn code_from_outside_is_not_loaded_even_if_it_is_code() {
    let (home, theirs) = (Home::new(), Home::new());
    let component = guest("", "");
    home.start(Compiler::InProcess).load(&component).unwrap();
    theirs.start(Compiler::InProcess).load(&component).unwrap();
    fs::copy(theirs.entry(), home.entry()).unwrap();
    assert!(matches!(home.start(none()).load(&component), Err(Error::Compiler(_))));
}

#[test]
fn what_is_refused_is_not_kept() {
    let home = Home::new();
    let sandbox = home.start(Compiler::InProcess);
    assert!(sandbox.load(&wat::parse_str("(component)").unwrap()).is_err());
    assert_eq!(entries(&home.dir()).count(), 0);
}

#[test]
fn code_for_a_larger_pool_is_refused_by_a_smaller_one_and_not_kept_for_it() {
    let (home, component) = (Home::new(), guest("", ""));
    home.start(Compiler::InProcess).load(&component).unwrap();
    let cache = Some(CacheOptions::new(home.dir()));
    let tiny = sandbox_with(Options { memory_bytes: 512 << 10, cache, ..small() });
    assert!(matches!(tiny.load(&component), Err(Error::Invalid(_))));
}

#[test]
fn a_directory_that_can_not_be_used_is_said_at_once() {
    let home = Home::new();
    fs::write(home.dir(), "a file").unwrap();
    let error = Sandbox::new(Options { cache: Some(CacheOptions::new(home.dir())), ..small() }).unwrap_err();
    assert!(matches!(&error, Error::Cache(why) if why.contains("no directory")), "{error}");
}
