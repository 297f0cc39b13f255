//! Events do not see each other, and `configure` sees nothing.

use std::thread;

use tidegate_core::{Digest, Event, EventKind};
use tidegate_sandbox::Fault;

use crate::support::{Fake, PRUNE, component_for, event, guest, handle, hasty, module, sandbox, step, wit};

/// Traps if any byte that an earlier event wrote is still there.
const MARKS: &str = "(if (i32.load (i32.const 500000)) (then unreachable))
    (i32.store (i32.const 500000) (i32.const 1))
    (if (i32.ne (memory.size) (i32.const 16)) (then unreachable))
    (drop (memory.grow (i32.const 20)))
    (i32.store (i32.const 2000000) (i32.const 1))";

#[test]
fn every_event_meets_a_fresh_instance() {
    let plugin = sandbox().load(&guest("", MARKS)).unwrap();
    for _ in 0..100 {
        assert_eq!(handle(&plugin).1.result, Ok(()));
    }
}

#[test]
fn more_threads_than_places_wait_for_each_other() {
    let plugin = sandbox().load(&guest("", MARKS)).unwrap();
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| (0..50).for_each(|_| assert_eq!(handle(&plugin).1.result, Ok(()))));
        }
    });
}

#[test]
fn a_plugin_outlives_its_sandbox_and_many_traps_do_not_wear_it_out() {
    let (bad, good) = {
        let sandbox = sandbox();
        (sandbox.load(&guest("", "unreachable")).unwrap(), sandbox.load(&guest("", MARKS)).unwrap())
    };
    for _ in 0..500 {
        assert!(matches!(handle(&bad).1.result, Err(Fault::Trap(_))));
        assert_eq!(handle(&good).1.result, Ok(()));
    }
}

#[test]
fn a_plugin_is_named_by_the_digest_of_its_bytes() {
    let bytes = guest("", "");
    assert_eq!(sandbox().load(&bytes).unwrap().digest(), Digest::of(&bytes));
}

#[test]
fn configure_can_ask_for_nothing() {
    let ask = r#"(call $prune (i32.const 100) (i32.const 3) (i64.const 1) (i32.const 0) (i32.const 100) (i32.const 3)
        (i32.const 64))
        (i32.store8 (i32.const 16) (i32.load8_u (i32.const 64)))
        (i32.store (i32.const 20) (i32.load (i32.const 72)))
        (i32.store (i32.const 24) (i32.load (i32.const 76)))"#;
    let text = module(&format!(r#"{PRUNE} (data (i32.const 100) "gpt")"#), "");
    let text = text.replace(
        "(param i32 i32) (result i32) i32.const 16)",
        &format!("(param i32 i32) (result i32) {ask} i32.const 16)"),
    );
    let plugin = sandbox().load(&component_for(&wit(), &text)).unwrap();
    let Err(Fault::Error(said)) = plugin.configure("{}") else { panic!("it was accepted") };
    assert!(said.contains("`configure` has no event"), "{said}");
}

#[test]
fn configure_is_held_by_the_same_bounds() {
    let text = module("", "").replace(
        "(param i32 i32) (result i32) i32.const 16)",
        "(param i32 i32) (result i32) (loop $l (br $l)) i32.const 16)",
    );
    let plugin = hasty().load(&component_for(&wit(), &text)).unwrap();
    assert!(matches!(plugin.configure("{}"), Err(Fault::TimedOut(_))));
}

#[test]
fn an_event_that_no_bot_is_told_runs_nothing() {
    let plugin = sandbox().load(&guest("", "unreachable")).unwrap();
    let kind =
        EventKind::Pinned { run: "gpt".parse().unwrap(), step: step(1), by: "operator".into(), reason: "paper".into() };
    let handled = plugin.handle(Box::<Fake>::default(), &Event { kind, ..event() }, "{}");
    assert_eq!(handled.result, Ok(()));
}
