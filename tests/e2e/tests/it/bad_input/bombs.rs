//! Components that are small and take very long, or very much memory, to compile.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::MetadataExt,
    thread::{self, JoinHandle},
    time::Duration,
};

use tidegate_tests_support::{
    guest,
    host::TidegateProcess,
    http::{Request, Response},
    wait,
};

use super::site::{PATIENCE, Site, check, names_in};

/// Loops in loops, and each carries all locals around: a little text of which the compiler makes a product.
fn bomb(loops: usize, locals: usize) -> Vec<u8> {
    let names: String = (0..locals).map(|n| format!("(local $l{n} i32)")).collect();
    let each = |n| format!("(local.set $l{n} (i32.add (local.get $l{n}) (local.get 0)))");
    let body: String = (0..locals).map(each).collect();
    let nest = "(loop ".repeat(loops) + &body + &"(br_if 0 (local.get 0)))".repeat(loops);
    guest::component(&format!("(func $bomb (param i32) {names} {nest})"), "").unwrap()
}

/// Processes that the host has started and not yet seen the end of.
fn children(host: &TidegateProcess) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", host.pid().unwrap())).unwrap();
    let of = |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).unwrap_or_default();
    tasks.flat_map(|task| of(task.unwrap()).split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Bytes of memory that the host has had at most.
fn most_memory(host: &TidegateProcess) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", host.pid().unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() << 10
}

/// A host that starts again with these bounds. Its bots were compiled before, so the bounds don't matter to them.
fn bounded(site: &mut Site, seconds: u64, memory: u64) {
    let options = site.host.options();
    *options = options
        .clone()
        .env("TIDEGATE_BOTS__COMPILE_DEADLINE_SECONDS", seconds.to_string())
        .env("TIDEGATE_BOTS__COMPILE_MEMORY_BYTES", memory.to_string());
    site.host.restart().unwrap();
}

#[test]
fn a_bomb_for_the_compiler_is_refused_and_the_host_does_not_notice() {
    let mut site = Site::start();
    let kept = names_in(&site.host.dir().join("plugins"));
    for (seconds, memory, bomb, said) in [
        (600, 256 << 20, bomb(1000, 5000), "not compiled with 268435456 bytes of memory"),
        (1, 64 << 30, bomb(4000, 20_000), "not compiled within 1s"),
    ] {
        bounded(&mut site, seconds, memory);
        let before = most_memory(&site.host);
        let problem = check(&site.upload(&bomb), "TG0021", said);
        assert!(problem.detail.contains(said) && problem.detail.contains("raise `bots."), "{}", problem.detail);
        let grown = most_memory(&site.host) - before;
        println!("{said}: {} bytes, the host grew by {grown}", bomb.len());
        assert!(grown < 64 << 20, "the host's own memory grew by {grown} bytes");
        assert_eq!(children(&site.host), [""; 0], "its worker is gone");
        assert_eq!(names_in(&site.host.dir().join("plugins")), kept, "nothing was kept");
        site.still_works();
    }
}

#[test]
fn a_host_that_starts_again_compiles_nothing() {
    let mut site = Site::start();
    let compiled = site.host.dir().join("compiled");
    // What is compiled again is another file.
    let files = || -> BTreeSet<u64> {
        fs::read_dir(&compiled).unwrap().map(|entry| entry.unwrap().metadata().unwrap().ino()).collect()
    };
    let before = files();
    assert_eq!(before.len(), 3, "two bots and the key: {:?}", names_in(&compiled));
    site.host.restart().unwrap();
    site.still_works();
    assert_eq!(files(), before);
}

/// Uploads a bomb that takes long and waits until it is compiled: the worker's process id, and the answer to come.
fn compiling(site: &mut Site) -> (String, JoinHandle<anyhow::Result<Response>>) {
    bounded(site, 600, 8 << 30);
    let (socket, bomb) = (site.host.socket(), bomb(4000, 20_000));
    let answer = thread::spawn(move || {
        let (timeout, content_type) = (Duration::from_secs(600), Some("application/wasm"));
        Request { content_type, body: &bomb, timeout, ..Request::new("POST", "/v1/plugins") }.over_unix(&socket)
    });
    (wait::until("a worker", PATIENCE, || Ok(children(&site.host).pop())).unwrap(), answer)
}

fn gone(worker: &str) {
    wait::until("the end of the worker", PATIENCE, || Ok((!fs::exists(format!("/proc/{worker}"))?).then_some(())))
        .unwrap();
}

#[test]
fn a_worker_dies_with_its_host() {
    let mut site = Site::start();
    let (worker, answer) = compiling(&mut site);
    site.host.kill9().unwrap();
    gone(&worker);
    assert!(answer.join().unwrap().is_err());
}

#[test]
fn a_host_that_is_told_to_stop_does_not_wait_for_its_worker() {
    let mut site = Site::start();
    let (worker, answer) = compiling(&mut site);
    assert!(site.host.stop(PATIENCE).unwrap().success());
    gone(&worker);
    check(&answer.join().unwrap().unwrap(), "TG0027", "an upload while the host stops");
}
