//! WASI as a closed room: what a component of another language finds there, and what it does not.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use tidegate_core::Want;
use tidegate_sandbox::{Fault, Options, Plugin, Sandbox};

use crate::support::{PRUNE, changed_wit, component_for, handle, module, sandbox, sandbox_with, small};

/// As much of WASI as the guests below call.
const WASI: &[(&str, &str)] = &[
    ("random", "package wasi:random@0.2.0; interface random { get-random-u64: func() -> u64; get-random-bytes: func(len: u64) -> list<u8>; }"),
    (
        "clocks",
        "package wasi:clocks@0.2.0;
        interface monotonic-clock { use wasi:io/poll@0.2.0.{pollable}; now: func() -> u64; subscribe-duration: func(when: u64) -> pollable; }
        interface wall-clock { record datetime { seconds: u64, nanoseconds: u32 } now: func() -> datetime; }",
    ),
    (
        "io",
        "package wasi:io@0.2.0;
        interface poll { resource pollable { block: func(); } }
        interface error { resource error; }
        interface streams {
            use error.{error};
            variant stream-error { last-operation-failed(error), closed }
            resource output-stream { blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>; }
        }",
    ),
    (
        "cli",
        "package wasi:cli@0.2.0;
        interface environment { get-environment: func() -> list<tuple<string, string>>; get-arguments: func() -> list<string>; }
        interface stdout { use wasi:io/streams@0.2.0.{output-stream}; get-stdout: func() -> output-stream; }",
    ),
    (
        "filesystem",
        "package wasi:filesystem@0.2.0;
        interface types { resource descriptor; }
        interface preopens { use types.{descriptor}; get-directories: func() -> list<tuple<descriptor, string>>; }",
    ),
];

/// The contract with it, written once: other tests read it meanwhile.
fn wit() -> &'static Path {
    static WIT: OnceLock<PathBuf> = OnceLock::new();
    WIT.get_or_init(write_wit)
}

fn write_wit() -> PathBuf {
    let imports = "  import log;
  import wasi:random/random@0.2.0;
  import wasi:clocks/monotonic-clock@0.2.0;
  import wasi:clocks/wall-clock@0.2.0;
  import wasi:cli/environment@0.2.0;
  import wasi:cli/stdout@0.2.0;
  import wasi:filesystem/preopens@0.2.0;
";
    let folder = changed_wit("room", &[("  import log;\n", imports)]);
    for (name, text) in WASI {
        fs::create_dir_all(folder.join("deps").join(name)).unwrap();
        fs::write(folder.join("deps").join(name).join("it.wit"), text).unwrap();
    }
    folder
}

const IMPORTS: &str = r#"
    (import "wasi:random/random@0.2.0" "get-random-u64" (func $random (result i64)))
    (import "wasi:random/random@0.2.0" "get-random-bytes" (func $draw (param i64 i32)))
    (import "wasi:clocks/monotonic-clock@0.2.0" "now" (func $monotonic (result i64)))
    (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $subscribe (param i64) (result i32)))
    (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))
    (import "wasi:clocks/wall-clock@0.2.0" "now" (func $wall (param i32)))
    (import "wasi:cli/environment@0.2.0" "get-environment" (func $environment (param i32)))
    (import "wasi:cli/environment@0.2.0" "get-arguments" (func $arguments (param i32)))
    (import "wasi:filesystem/preopens@0.2.0" "get-directories" (func $directories (param i32)))
    (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
    (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
        (func $write (param i32 i32 i32 i32)))"#;

fn plugin(body: &str) -> Plugin {
    plugin_in(&sandbox(), body)
}

fn plugin_in(sandbox: &Sandbox, body: &str) -> Plugin {
    let top = format!(
        r#"{IMPORTS} {PRUNE} (data (i32.const 100) "gpt") (data (i32.const 200) "hello\1b[2J\0a\0asecond line\0a")"#
    );
    sandbox.load(&component_for(wit(), &module(&top, body))).unwrap()
}

#[test]
fn there_is_no_environment_no_argument_no_directory_and_one_time() {
    // A list's length stands behind its address. The event's time is one second.
    let body = "
        (call $environment (i32.const 600)) (if (i32.load (i32.const 604)) (then unreachable))
        (call $arguments (i32.const 600)) (if (i32.load (i32.const 604)) (then unreachable))
        (call $directories (i32.const 600)) (if (i32.load (i32.const 604)) (then unreachable))
        (call $wall (i32.const 600))
        (if (i64.ne (i64.load (i32.const 600)) (i64.const 1)) (then unreachable))
        (if (i32.load (i32.const 608)) (then unreachable))
        (if (i64.ne (call $monotonic) (i64.const 1000000000)) (then unreachable))";
    let plugin = plugin(body);
    assert!(plugin.about().used.contains(&Want::Wasi));
    assert_eq!(handle(&plugin).1.result, Ok(()));
}

#[test]
fn who_sleeps_for_a_year_wakes_at_once_and_no_time_has_passed() {
    let body = "(call $block (call $subscribe (i64.const 31536000000000000)))
        (if (i64.ne (call $monotonic) (i64.const 1000000000)) (then unreachable))";
    assert_eq!(handle(&plugin(body)).1.result, Ok(()));
}

#[test]
fn chance_is_the_events_and_repeats() {
    let body =
        "(call $prune (i32.const 100) (i32.const 3) (i64.and (call $random) (i64.const 0xffffffff)) (i32.const 1)
        (i32.const 100) (i32.const 3) (i32.const 64))";
    let plugin = plugin(body);
    let drawn: Vec<u64> = (0..3).map(|_| handle(&plugin).0.effects[0].step.get()).collect();
    assert!(drawn.iter().all(|it| *it == drawn[0]), "{drawn:?}");
}

#[test]
fn what_is_printed_becomes_clean_lines_of_the_log() {
    let body = "(call $write (call $stdout) (i32.const 200) (i32.const 23) (i32.const 600))";
    let (_, handled) = handle(&plugin(body));
    assert_eq!(handled.result, Ok(()));
    let lines: Vec<&str> = handled.logs.iter().map(|line| line.message.as_str()).collect();
    assert_eq!(lines, ["hello\u{fffd}[2J", "second line"]);
}

#[test]
fn who_prints_without_end_or_hoards_handles_is_stopped() {
    let prints = "(loop $l (call $write (call $stdout) (i32.const 200) (i32.const 4096) (i32.const 600)) (br $l))";
    let hoards = "(loop $l (drop (call $subscribe (i64.const 1))) (br $l))";
    for body in [prints, hoards] {
        let (_, handled) = handle(&plugin(body));
        assert!(matches!(handled.result, Err(Fault::Trap(_))), "{:?}", handled.result);
    }
}

#[test]
fn calls_and_bytes_are_in_the_account() {
    let body = "
        (drop (call $monotonic))
        (drop (call $random))
        (call $draw (i64.const 100) (i32.const 600))
        (call $write (call $stdout) (i32.const 200) (i32.const 23) (i32.const 600))";
    let (_, handled) = handle(&plugin(body));
    assert_eq!((handled.usage.host_calls, handled.usage.host_bytes), (5, 8 + 100 + 23));
}

#[test]
fn who_calls_too_often_or_draws_too_much_is_ended_like_any_other() {
    let sandbox = sandbox_with(Options { host_calls: 100, bytes_per_event: 1000, ..small() });
    let times = |times: u32, what: &str| {
        format!(
            "(local $n i32) (loop $l {what}
            (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const {times}))))"
        )
    };
    let (tick, draw) = ("(drop (call $monotonic))", "(call $draw (i64.const 100) (i32.const 600))");
    let prune = "(call $prune (i32.const 100) (i32.const 3) (i64.const 1) (i32.const 1) (i32.const 100) (i32.const 3)
        (i32.const 64))";
    for (body, over) in [
        (times(100, tick), None),
        (times(101, tick), Some("more than 100 host calls")),
        (times(10, draw), None),
        (times(11, draw), Some("more than 1000 bytes")),
        // The contract is held to what WASI has used up.
        (format!("{} {prune}", times(100, tick)), Some("more than 100 host calls")),
    ] {
        let (fake, handled) = handle(&plugin_in(&sandbox, &body));
        match over {
            None => assert_eq!(handled.result, Ok(()), "{body}"),
            Some(over) => {
                let Err(Fault::OverBudget(said)) = handled.result else { panic!("{body}: {:?}", handled.result) };
                assert!(said.contains(over), "{body}: {said}");
                assert!(fake.effects.is_empty());
            }
        }
    }
}
