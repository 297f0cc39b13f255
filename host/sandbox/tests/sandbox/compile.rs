//! Components that are compiled by a process of their own: it can hang, die or take too much, and that is all.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use tidegate_sandbox::{Compiler, Error, Options, Sandbox, Worker};

use crate::support::{PRUNE, component_for, guest, handle, module, sandbox, sandbox_with, small, wit};

/// The compiler of this crate, in a process of its own.
pub(crate) fn worker() -> Worker {
    let program = env!("CARGO_BIN_EXE_tidegate-sandbox-compile-worker").into();
    Worker { program, args: Vec::new(), ..Worker::this_program([""]) }
}

pub(crate) fn sandbox_by(worker: Worker) -> Sandbox {
    sandbox_with(Options { compiler: Compiler::Worker(worker), ..small() })
}

/// A shell in the place of the compiler.
fn shell(script: &str) -> Worker {
    Worker { program: "/bin/sh".into(), args: vec!["-c".into(), script.into()], ..worker() }
}

fn refused(worker: Worker) -> Error {
    sandbox_by(worker).load(&guest("", "")).unwrap_err()
}

/// What this process has for children, dead ones too.
fn children() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let of = |task: &Path| fs::read_to_string(task.join("children")).unwrap_or_default();
    tasks.flat_map(|task| of(&task.unwrap().path()).split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Loops in loops, and each carries all locals around: a little text of which the compiler makes a product.
fn bomb(loops: usize, locals: usize) -> Vec<u8> {
    let names: String = (0..locals).map(|n| format!("(local $l{n} i32)")).collect();
    let body: String =
        (0..locals).map(|n| format!("(local.set $l{n} (i32.add (local.get $l{n}) (local.get 0)))")).collect();
    let nest = "(loop ".repeat(loops) + &body + &"(br_if 0 (local.get 0)))".repeat(loops);
    component_for(&wit(), &module(&format!("{PRUNE} (func $bomb (param i32) {names} {nest})"), ""))
}

#[test]
fn what_a_worker_compiled_does_the_same() {
    let (here, there) = (sandbox(), sandbox_by(worker()));
    for body in ["", "unreachable"] {
        let component = guest("", body);
        let (here, there) = (here.load(&component).unwrap(), there.load(&component).unwrap());
        assert_eq!(here.about(), there.about());
        assert_eq!(handle(&here).1.result, handle(&there).1.result);
    }
}

#[test]
fn what_it_refuses_is_refused_in_the_same_words() {
    let (here, there) = (sandbox(), sandbox_by(worker()));
    let whole = guest("", "");
    let too_large = component_for(&wit(), &module("", "").replace("\"memory\") 16)", "\"memory\") 65536)"));
    let empty = wat::parse_str("(component)").unwrap();
    for bytes in [&whole[..whole.len() / 2], &too_large, &empty, b"#!/bin/sh"] {
        assert_eq!(here.load(bytes).unwrap_err(), there.load(bytes).unwrap_err());
    }
}

#[test]
fn code_from_a_worker_is_for_the_engine_that_asked_whatever_its_bounds_are() {
    for fuel in [None, Some(1_000_000)] {
        let other = Options { fuel, stack_bytes: 100 << 10, memory_bytes: 8 << 20, instances: 2, ..small() };
        let sandbox = sandbox_with(Options { compiler: Compiler::Worker(worker()), ..other });
        assert_eq!(handle(&sandbox.load(&guest("", "")).unwrap()).1.result, Ok(()));
    }
}

#[test]
fn a_compile_without_end_is_stopped_at_its_deadline() {
    let hasty = Worker { deadline: Duration::from_millis(100), ..worker() };
    let sandbox = sandbox_by(hasty);
    assert_eq!(sandbox.load(&bomb(500, 4000)).unwrap_err(), Error::CompileTimedOut(Duration::from_millis(100)));
}

#[test]
fn a_compile_that_takes_too_much_memory_is_stopped() {
    let small = Worker { memory_bytes: 160 << 20, ..worker() };
    let sandbox = sandbox_by(small);
    let error = sandbox.load(&bomb(500, 4000)).unwrap_err();
    assert_eq!(error, Error::CompileTooLarge(160 << 20), "{error}");
    assert_eq!(handle(&sandbox.load(&guest("", "")).unwrap()).1.result, Ok(()), "a neighbour");
}

#[test]
fn a_worker_that_hangs_is_killed_wherever_it_hangs() {
    let hasty = |script| Worker { deadline: Duration::from_millis(100), ..shell(script) };
    for script in [
        "exec sleep 600",
        "cat > /dev/null; exec sleep 600",
        "exec 0<&-; exec sleep 600",
        "exec 0<&- 1>&- 2>&-; exec sleep 600",
        "while :; do echo noise >&2; done",
    ] {
        let error = refused(hasty(script));
        assert_eq!(error, Error::CompileTimedOut(Duration::from_millis(100)), "{script}");
        assert!(error.blames_component());
    }
}

#[test]
fn a_worker_that_dies_is_told_of_with_its_last_words() {
    let died = |how: &str, said: &str| Error::CompilerDied { how: how.into(), said: said.into() };
    assert_eq!(refused(shell("kill -SEGV $$")), died("was ended by signal 11", ""));
    assert_eq!(
        refused(shell("cat > /dev/null; echo 'a bug\n\u{1b}[2J' >&2; exit 101")),
        died("ended with 101", "a bug\u{fffd}\u{fffd}[2J")
    );
    assert_eq!(refused(shell("cat > /dev/null")), died("gave no answer", ""));
    assert_eq!(refused(shell("cat > /dev/null; echo hello")), died("gave no answer", ""));
    assert_eq!(
        refused(shell("echo 'memory allocation of 64 bytes failed' >&2; kill -ABRT $$")),
        Error::CompileTooLarge(1 << 30)
    );
}

#[test]
fn a_worker_that_talks_without_end_is_not_listened_to() {
    assert!(matches!(refused(shell("exec cat /dev/zero")), Error::CodeTooLarge(_)));
}

#[test]
fn a_worker_that_can_not_be_started_is_the_hosts_trouble() {
    let error = refused(Worker { program: "/nonexistent/compiler".into(), ..worker() });
    assert!(matches!(&error, Error::Compiler(why) if why.contains("/nonexistent/compiler")), "{error}");
    assert!(!error.blames_component());
}

#[test]
fn a_worker_has_no_environment_and_its_limits_before_the_first_byte() {
    // `read` waits for the component, and so for the limits.
    let script = "read line; /usr/bin/env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= >&2; \
                  ulimit -v >&2; ulimit -c >&2; nice >&2; exit 7";
    let Error::CompilerDied { said, .. } = refused(shell(script)) else { panic!("it answered") };
    let said: Vec<_> = said.split('\u{fffd}').collect();
    assert_eq!(said[..2], ["1048576", "0"], "{said:?}");
    assert!(said[2].parse::<i32>().unwrap() >= 10, "{said:?}");
}

#[test]
fn a_worker_keeps_no_descriptor_that_its_host_got_from_others() {
    // Without CLOEXEC, as what a supervisor leaves open.
    let _leak = rustix::fs::open("/dev/null", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).unwrap();
    let mut child = Command::new(worker().program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let open = || fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap().count();
    while open() != 3 {
        assert!(fs::exists(format!("/proc/{}/exe", child.id())).unwrap(), "it ended");
        std::thread::yield_now();
    }
    drop(child.stdin.take());
    assert!(!child.wait().unwrap().success());
}

#[test]
fn a_worker_started_by_hand_says_what_it_is() {
    let mut command = Command::new(worker().program);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
}

#[test]
fn a_sandbox_that_is_told_to_stop_compiling_kills_its_worker_and_starts_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let (here, ready) = (dir.path().display(), dir.path().join("ready"));
    let sandbox = sandbox_by(shell(&format!("mkfifo {here}/ready; exec sleep 600")));
    std::thread::scope(|scope| {
        let loading = scope.spawn(|| sandbox.load(&guest("", "")).unwrap_err());
        while !ready.exists() {
            std::thread::yield_now();
        }
        sandbox.stop_compiling();
        assert_eq!(loading.join().unwrap(), Error::CompilerStopped);
    });
    assert_eq!(sandbox.load(&guest("", "")).unwrap_err(), Error::CompilerStopped);
}

#[test]
fn the_same_bytes_that_were_killed_once_are_compiled_no_more_by_those_that_waited() {
    let dir = tempfile::tempdir().unwrap();
    // Each start leaves a pipe, which the bound on files' bytes allows.
    let script = format!("mkfifo {}/$$; exec sleep 600", dir.path().display());
    let sandbox = sandbox_by(Worker { deadline: Duration::from_millis(300), ..shell(&script) });
    let component = guest("", "");
    let errors: Vec<_> = std::thread::scope(|scope| {
        let loading: Vec<_> = (0..3).map(|_| scope.spawn(|| sandbox.load(&component).unwrap_err())).collect();
        loading.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let first = Error::CompileTimedOut(Duration::from_millis(300));
    assert_eq!(errors.iter().filter(|error| **error == first).count(), 1, "{errors:?}");
    let lately = |error: &&Error| matches!(error, Error::RefusedLately { why, .. } if **why == first);
    assert_eq!(errors.iter().filter(lately).count(), 2, "{errors:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "workers");
    assert!(matches!(sandbox.load(&guest("", "unreachable")), Err(Error::CompileTimedOut(_))), "others are tried");
}

#[test]
fn whoever_has_little_patience_is_told_that_another_component_is_compiled() {
    let dir = tempfile::tempdir().unwrap();
    let (here, ready) = (dir.path().display(), dir.path().join("ready"));
    let sandbox = sandbox_by(shell(&format!("mkfifo {here}/ready; exec sleep 600")));
    std::thread::scope(|scope| {
        let loading = scope.spawn(|| sandbox.load(&guest("", "")).unwrap_err());
        while !ready.exists() {
            std::thread::yield_now();
        }
        let patience = Duration::from_millis(1);
        let error = sandbox.load_within(&guest("", "unreachable"), patience).unwrap_err();
        assert_eq!(error, Error::CompilerTaken(patience));
        assert!(!error.blames_component() && error.to_string().contains("try again in a minute"), "{error}");
        sandbox.stop_compiling();
        assert_eq!(loading.join().unwrap(), Error::CompilerStopped);
    });
}

#[test]
fn no_worker_outlives_its_component() {
    // Other tests of this process have workers of their own, so those are counted that stay.
    let sandbox = sandbox_by(Worker { deadline: Duration::from_millis(50), ..shell("exec sleep 600") });
    let before = children();
    for nth in 0..5 {
        assert!(sandbox.load(&guest(&format!(r#"(data (i32.const 900) "{nth}")"#), "")).is_err());
    }
    let mut left = children();
    left.retain(|pid| !before.contains(pid));
    let sleeping =
        |pid: &String| fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|it| it.contains("sleep"));
    let zombie = |pid: &String| fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|it| it.contains(") Z "));
    left.retain(|pid| sleeping(pid) || zombie(pid));
    assert!(left.is_empty(), "{left:?}");
}
