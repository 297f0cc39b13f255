//! Plugins that mean harm: each is stopped with a fault that says why, and the sandbox goes on.

use tidegate_sandbox::{Error, Fault, Level, Options, Sandbox};

use crate::support::{PRUNE, component_for, guest, handle, hasty, module, sandbox, sandbox_with, small, wit};

/// The fault of a guest, after which a good one must still work in the same sandbox.
fn fault_in(sandbox: &Sandbox, component: &[u8]) -> Fault {
    let (_, handled) = handle(&sandbox.load(component).unwrap());
    let good = sandbox.load(&guest("", "")).unwrap();
    // A hasty sandbox on a busy machine may stop even a good one.
    let again = handle(&good).1.result;
    assert!(matches!(again, Ok(()) | Err(Fault::TimedOut(_))), "{again:?}");
    handled.result.unwrap_err()
}

fn fault(top: &str, body: &str) -> Fault {
    fault_in(&sandbox(), &guest(top, body))
}

#[test]
fn a_loop_is_stopped_at_its_deadline() {
    assert!(matches!(fault_in(&hasty(), &guest("", "(loop $l (br $l))")), Fault::TimedOut(_)));
}

#[test]
fn a_loop_ends_with_its_fuel_however_long_it_may_take() {
    let little = sandbox_with(Options { fuel: Some(1_000_000), ..small() });
    assert_eq!(fault_in(&little, &guest("", "(loop $l (br $l))")), Fault::OutOfFuel(1_000_000));
}

#[test]
fn what_a_handler_costs_in_fuel_is_the_same_every_time() {
    let body = "(local $n i32) (loop $l
        (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 1000))))";
    let plugin = sandbox().load(&guest("", body)).unwrap();
    let used: Vec<u64> = (0..3).map(|_| handle(&plugin).1.usage.fuel).collect();
    assert!(used[0] > 4_000 && used.iter().all(|it| *it == used[0]), "{used:?}");
    let uncounted = sandbox_with(Options { fuel: None, ..small() });
    assert_eq!(handle(&uncounted.load(&guest("", body)).unwrap()).1.usage.fuel, 0);
}

#[test]
fn a_loop_in_the_start_function_is_stopped_too_and_does_not_run_when_loaded() {
    let text = module("", "").replace("(memory", "(start $s) (func $s (loop $l (br $l))) (memory");
    assert!(matches!(fault_in(&hasty(), &component_for(&wit(), &text)), Fault::TimedOut(_)));
}

#[test]
fn a_loop_in_its_allocator_is_stopped_too() {
    let text = module("", "").replace("global.get $heap\n", "(loop $l (br $l)) global.get $heap\n");
    assert!(matches!(fault_in(&hasty(), &component_for(&wit(), &text)), Fault::TimedOut(_)));
}

#[test]
fn a_loop_of_host_calls_that_are_not_counted_is_stopped_at_its_deadline_too() {
    let top = r#"(import "tidegate:bot/log@0.2.0" "line" (func $line (param i32 i32 i32)))"#;
    let guest = guest(top, "(loop $l (call $line (i32.const 0) (i32.const 0) (i32.const 9)) (br $l))");
    assert!(matches!(fault_in(&hasty(), &guest), Fault::TimedOut(_)));
}

#[test]
fn looking_at_the_clock_is_a_host_call() {
    let top = r#"(import "tidegate:bot/clock@0.2.0" "now" (func $now (result i64)))"#;
    let few = sandbox_with(Options { host_calls: 100, ..small() });
    let looks = |body: &str| fault_in(&few, &guest(top, body));
    let over = Fault::OverBudget("more than 100 host calls in one event".into());
    assert_eq!(looks("(loop $l (drop (call $now)) (br $l))"), over);
    let thrice = few.load(&guest(top, "(drop (call $now)) (drop (call $now)) (drop (call $now))")).unwrap();
    assert_eq!(handle(&thrice).1.usage.host_calls, 3);
}

#[test]
fn a_trap_says_what_it_was_and_where() {
    let fault = fault("(func $deep unreachable)", "call $deep");
    assert_eq!(fault.to_string(), "trapped: wasm trap: wasm `unreachable` instruction executed in deep");
}

#[test]
fn a_division_by_zero_and_an_access_out_of_bounds_are_traps() {
    for body in ["(drop (i32.div_u (i32.const 1) (i32.const 0)))", "(drop (i32.load (i32.const -8)))"] {
        assert!(matches!(fault("", body), Fault::Trap(_)), "{body}");
    }
}

#[test]
fn a_recursion_without_end_uses_up_its_own_stack_only() {
    let top = "(func $f (param i32) (result i32) (i32.add (call $f (local.get 0)) (i32.const 1)))";
    assert_eq!(fault(top, "(drop (call $f (i32.const 1)))"), Fault::StackOverflow);
}

#[test]
fn four_gibibytes_are_denied_inside_the_guest_which_may_go_on() {
    let body = "(if (i32.ne (memory.grow (i32.const 65000)) (i32.const -1)) (then unreachable))";
    let (_, handled) = handle(&sandbox().load(&guest("", body)).unwrap());
    assert_eq!(handled.result, Ok(()));
    assert!(handled.usage.memory_bytes < 2 << 20, "{:?}", handled.usage);
}

#[test]
fn a_guest_that_dies_for_want_of_memory_is_out_of_memory() {
    let body = "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";
    let small = sandbox_with(Options { memory_bytes: 8 << 20, ..small() });
    assert_eq!(fault_in(&small, &guest("", body)), Fault::OutOfMemory(8 << 20));
}

#[test]
fn a_guest_born_too_large_is_refused_when_loaded() {
    let text = module("", "").replace("\"memory\") 16)", "\"memory\") 65536)");
    let error = sandbox().load(&component_for(&wit(), &text)).unwrap_err();
    assert!(matches!(error, Error::Invalid(_)), "{error}");
}

#[test]
fn tables_count_as_memory() {
    let top = "(table $t 1 funcref)";
    let body = "(if (i32.eq (table.grow $t (ref.null func) (i32.const 15000)) (i32.const -1)) (then unreachable))";
    assert_eq!(handle(&sandbox().load(&guest(top, body)).unwrap()).1.result, Ok(()));
    let small = sandbox_with(Options { memory_bytes: (1 << 20) + 100_000, ..small() });
    assert!(matches!(fault_in(&small, &guest(top, body)), Fault::OutOfMemory(_)));
}

#[test]
fn a_flood_of_effects_ends_the_handler_and_reaches_the_host_bounded() {
    // A reason of 512 bytes of NUL would be refused, so the memory is filled with letters first.
    let body = r#"
        (memory.fill (i32.const 1000) (i32.const 97) (i32.const 512))
        (loop $l
            (call $prune (i32.const 1000) (i32.const 3) (i64.const 1) (i32.const 0) (i32.const 1000) (i32.const 512)
                (i32.const 64))
            (br $l))"#;
    let plugin = sandbox().load(&guest(PRUNE, body)).unwrap();
    let (fake, handled) = handle(&plugin);
    assert!(matches!(handled.result, Err(Fault::OverBudget(_))), "{:?}", handled.result);
    let bytes: usize = fake.effects.iter().map(|effect| effect.reason.len()).sum();
    assert!(bytes <= 8 << 20, "{bytes}");
    assert_eq!(handled.usage.effects as usize, fake.effects.len());
}

#[test]
fn a_flood_of_calls_ends_the_handler() {
    let top = r#"(import "tidegate:bot/state@0.2.0" "delete" (func $delete (param i32 i32 i32)))"#;
    let body = "(loop $l (call $delete (i32.const 0) (i32.const 0) (i32.const 64)) (br $l))";
    let few = sandbox_with(Options { host_calls: 100, ..small() });
    assert_eq!(fault_in(&few, &guest(top, body)), Fault::OverBudget("more than 100 host calls in one event".into()));
}

#[test]
fn a_string_of_fifty_megabytes_is_not_taken() {
    let grow = "(drop (memory.grow (i32.const 900)))";
    let prune = format!(
        "{grow} (call $prune (i32.const 0) (i32.const 50000000) (i64.const 1) (i32.const 0) (i32.const 0) \
         (i32.const 1) (i32.const 64))"
    );
    assert!(matches!(fault(PRUNE, &prune), Fault::Trap(_)));
    let error = format!(
        "{grow} (i32.store8 (i32.const 16) (i32.const 1)) (i32.store (i32.const 20) (i32.const 0)) \
         (i32.store (i32.const 24) (i32.const 50000000))"
    );
    assert!(matches!(fault("", &error), Fault::Trap(_)));
}

#[test]
fn strings_beyond_the_memory_or_not_of_utf8_are_traps() {
    let call = |at: &str, len: &str| {
        format!(
            "(i32.store8 (i32.const 8) (i32.const 255)) (call $prune (i32.const {at}) (i32.const {len}) (i64.const 1) \
             (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 64))"
        )
    };
    for body in [call("-16", "32"), call("0", "-1"), call("8", "1")] {
        assert!(matches!(fault(PRUNE, &body), Fault::Trap(_)), "{body}");
    }
}

#[test]
fn an_enum_out_of_its_cases_is_a_trap() {
    let body = "(call $prune (i32.const 0) (i32.const 1) (i64.const 1) (i32.const 77) (i32.const 0) (i32.const 1) \
                (i32.const 64))";
    assert!(matches!(fault(PRUNE, body), Fault::Trap(_)));
}

#[test]
fn a_flood_of_lines_is_dropped_and_counted() {
    let top = r#"(import "tidegate:bot/log@0.2.0" "line" (func $line (param i32 i32 i32)))
        (data (i32.const 100) "hello\1b[2J")"#;
    let body = "(local $n i32)
        (loop $l (call $line (i32.const 2) (i32.const 100) (i32.const 9))
            (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 5000))))";
    let (_, handled) = handle(&sandbox().load(&guest(top, body)).unwrap());
    assert_eq!(handled.result, Ok(()));
    assert_eq!((handled.logs.len(), handled.usage.dropped_lines), (64, 5000 - 64));
    assert_eq!((handled.logs[0].level, handled.logs[0].message.as_str()), (Level::Warn, "hello\u{fffd}[2J"));
}

#[test]
fn lines_written_before_a_trap_are_kept() {
    let top = r#"(import "tidegate:bot/log@0.2.0" "line" (func $line (param i32 i32 i32)))
        (data (i32.const 100) "last words")"#;
    let body = "(call $line (i32.const 3) (i32.const 100) (i32.const 10)) unreachable";
    let (_, handled) = handle(&sandbox().load(&guest(top, body)).unwrap());
    assert!(matches!(handled.result, Err(Fault::Trap(_))));
    assert_eq!(handled.logs[0].message, "last words");
}
