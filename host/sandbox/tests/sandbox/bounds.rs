//! Values from a guest meet their bounds at the border: what is out of them is refused in words, and never arrives.

use tidegate_core::{EffectKind, Refusal, Tier, Why};
use tidegate_sandbox::{Fault, Options};

use crate::support::{Fake, PRUNE, guest, handle, handle_with, sandbox, sandbox_with, small};

/// A guest that asks to prune once, and returns a refusal's text as its own error.
fn asks(run: &str, step: u64, reason: &str) -> Vec<u8> {
    let top = format!(r#"{PRUNE} (data (i32.const 1000) "{run}") (data (i32.const 2000) "{reason}")"#);
    let (run_len, reason_len) = (run.len(), reason.len());
    let body = format!(
        "(call $prune (i32.const 1000) (i32.const {run_len}) (i64.const {step}) (i32.const 1) (i32.const 2000) \
            (i32.const {reason_len}) (i32.const 64))
        (i32.store8 (i32.const 16) (i32.load8_u (i32.const 64)))
        (i32.store (i32.const 20) (i32.load (i32.const 72)))
        (i32.store (i32.const 24) (i32.load (i32.const 76)))"
    );
    guest(&top, &body)
}

#[test]
fn what_is_within_its_bounds_arrives_as_it_was_said() {
    let plugin = sandbox().load(&asks("gpt-1b", 100, "too old")).unwrap();
    let (fake, handled) = handle(&plugin);
    assert_eq!(handled.result, Ok(()));
    let effect = &fake.effects[0];
    assert_eq!((effect.run.as_str(), effect.step.get(), effect.reason.as_str()), ("gpt-1b", 100, "too old"));
    assert_eq!(effect.kind, EffectKind::Prune { tier: Tier::Object });
    assert_eq!((handled.usage.effects, handled.usage.host_calls, handled.usage.host_bytes), (1, 1, 13));
}

#[test]
fn what_is_not_is_refused_in_words_and_does_not_arrive() {
    let sandbox = sandbox();
    let (long, most) = ("r".repeat(513), 1_000_000_000_000_001);
    for (run, step, reason, words) in [
        ("../etc", 1, "why", "run name \"../etc\" is not valid"),
        ("", 1, "why", "run name \"\" is not valid"),
        ("gpt", most, "why", "step \"1000000000000001\" is not valid"),
        ("gpt", u64::MAX >> 1, "why", "step"),
        ("gpt", 1, "", "a reason has 1 to 512 bytes, this one has 0"),
        ("gpt", 1, long.as_str(), "a reason has 1 to 512 bytes, this one has 513"),
    ] {
        let (fake, handled) = handle(&sandbox.load(&asks(run, step, reason)).unwrap());
        let Err(Fault::Error(said)) = handled.result else { panic!("{run} {step}: {:?}", handled.result) };
        assert!(said.starts_with(words), "{said}");
        assert!(fake.effects.is_empty());
    }
}

#[test]
fn a_refusal_reaches_the_guest_with_its_text_cut_to_its_bound() {
    let plugin = sandbox().load(&asks("gpt", 1, "why")).unwrap();
    let answer = |_: &_| Err(Refusal::new(Why::WouldLoseData, "x".repeat(9000)));
    let (fake, handled) = handle_with(&plugin, Fake { answer: Some(Box::new(answer)), ..Fake::default() }, "{}");
    let Err(Fault::Error(said)) = handled.result else { panic!("{:?}", handled.result) };
    assert_eq!(said.len(), 1024);
    assert!(fake.effects.is_empty());
    assert_eq!(handled.usage.effects, 0);
}

#[test]
fn the_guests_own_error_is_cut_and_cleaned() {
    let body = "(memory.fill (i32.const 1000) (i32.const 10) (i32.const 9000))
        (i32.store8 (i32.const 16) (i32.const 1)) (i32.store (i32.const 20) (i32.const 1000))
        (i32.store (i32.const 24) (i32.const 9000))";
    let (_, handled) = handle(&sandbox().load(&guest("", body)).unwrap());
    let Err(Fault::Error(said)) = handled.result else { panic!("{:?}", handled.result) };
    assert!(said.len() <= 4096 && said.ends_with('…') && !said.contains('\n'), "{} bytes", said.len());
}

#[test]
fn the_event_reaches_the_guest_and_the_clock_is_its_time() {
    let top = r#"(import "tidegate:bot/clock@0.2.0" "now" (func $now (result i64)))"#;
    let body = "(if (i64.ne (call $now) (i64.const 1000000000)) (then unreachable))
        (if (i64.ne (local.get $time) (call $now)) (then unreachable))
        (if (i64.ne (local.get $seq) (i64.const 7)) (then unreachable))
        (if (i32.ne (local.get $host_len) (i32.const 6)) (then unreachable))
        (if (i32.ne (local.get $what) (i32.const 2)) (then unreachable))
        (if (i64.ne (local.get 7) (i64.const 100)) (then unreachable))";
    assert_eq!(handle(&sandbox().load(&guest(top, body)).unwrap()).1.result, Ok(()));
}

#[test]
fn a_refused_draw_counts_as_a_call() {
    let top = r#"(import "tidegate:bot/random@0.2.0" "next-bytes" (func $draw (param i32 i32)))"#;
    let body = "(loop $l (call $draw (i32.const 0) (i32.const 64)) (br $l))";
    let few = sandbox_with(Options { host_calls: 100, ..small() });
    let (_, handled) = handle(&few.load(&guest(top, body)).unwrap());
    assert_eq!(handled.result, Err(Fault::OverBudget("more than 100 host calls in one event".into())));
}
