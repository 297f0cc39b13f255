//! Components of an older version of the contract, and those that look after their own state.

use std::{any::Any, collections::BTreeMap};

use tidegate_core::{EffectKind, Refusal, Tier, Timestamp, Why};
use tidegate_sandbox::{Calls, Error, Fault};

use crate::support::{Fake, PRUNE, component_for, guest, handle, handle_with, module, sandbox, wit, with_manifest};

/// The component of a guest that was made for 0.1.
fn old_guest(top: &str, handle: &str) -> Vec<u8> {
    component_for(&wit().join("v0.1"), &module(top, handle).replace("@0.2.0", "@0.1.0"))
}

const ASK: &str = r#"(call $prune (i32.const 100) (i32.const 3) (i64.const 7) (i32.const 1) (i32.const 110) (i32.const 3)
    (i32.const 64))"#;

fn asking() -> String {
    format!(r#"{PRUNE} (data (i32.const 100) "gpt") (data (i32.const 110) "why")"#)
}

#[test]
fn a_component_of_the_world_before_runs_and_is_held_to_the_same_bounds() {
    let plugin = sandbox().load(&old_guest(&asking(), ASK)).unwrap();
    assert_eq!((plugin.about().world.as_str(), plugin.about().migrates), ("tidegate:bot/policy@0.1.0", false));
    let (fake, handled) = handle(&plugin);
    assert_eq!((handled.result, handled.usage.effects), (Ok(()), 1));
    assert_eq!(fake.effects[0].kind, EffectKind::Prune { tier: Tier::Object });
    let flood = sandbox().load(&old_guest(&asking(), &format!("(loop $l {ASK} (br $l))"))).unwrap();
    assert!(matches!(handle(&flood).1.result, Err(Fault::OverBudget(_) | Fault::OutOfFuel(_))));
}

#[test]
fn a_refusal_that_the_world_before_does_not_know_is_told_in_its_words() {
    // The case of the refusal stands at 68: 0 is `denied`. A trap says that it is another one.
    let check = format!("{ASK} (if (i32.ne (i32.load8_u (i32.const 68)) (i32.const 0)) (then unreachable))");
    let stale = || {
        let answer = |_: &tidegate_core::Effect| Err(Refusal::new(Why::StaleToken, "another holds the lease"));
        Fake { answer: Some(Box::new(answer)), ..Fake::default() }
    };
    let old = sandbox().load(&old_guest(&asking(), &check)).unwrap();
    assert_eq!(handle_with(&old, stale(), "{}").1.result, Ok(()));
    let now =
        sandbox().load(&guest(&asking(), &check.replace("(i32.const 0)) (then", "(i32.const 7)) (then"))).unwrap();
    assert_eq!(handle_with(&now, stale(), "{}").1.result, Ok(()));
}

#[test]
fn the_contract_in_two_versions_at_once_is_refused() {
    let one =
        r#"(component (import "tidegate:bot/clock@0.1.0" (instance)) (import "tidegate:bot/log@0.2.0" (instance)))"#;
    let error = sandbox().load(&wat::parse_str(one).unwrap()).unwrap_err();
    assert!(matches!(&error, Error::World(why) if why.contains("two versions")), "{error}");
}

#[test]
fn a_manifest_names_the_world_that_the_component_was_made_for() {
    let named = |component: Vec<u8>, worlds: &[&str]| {
        let manifest = format!(r#"{{"manifest":1,"name":"gate","version":"1.0.0","worlds":{worlds:?}}}"#);
        sandbox().load(&with_manifest(component, &manifest))
    };
    let (old, now, next) = ("tidegate:bot/policy@0.1.0", "tidegate:bot/policy@0.2.0", "tidegate:bot/policy@0.3.0");
    // With imports the world is told by them, without any by the events that it takes.
    for log in ["", r#"(import "tidegate:bot/log@0.2.0" "line" (func (param i32 i32 i32)))"#] {
        let (of_old, of_now) = (|| old_guest(log, ""), || guest(log, ""));
        assert_eq!(named(of_now(), &[old, now]).unwrap().about().world, now);
        assert_eq!(named(of_old(), &[old, next]).unwrap().about().world, old);
        for (component, says, is) in [(of_now(), old, now), (of_now(), next, now), (of_old(), now, old)] {
            let error = named(component, &[says]).unwrap_err();
            assert_eq!(error, Error::Worlds { says: says.into(), is: is.into() });
            let shown = error.to_string();
            assert!(shown.contains(&format!("for {says}")) && shown.contains(&format!("for {is}")), "{shown}");
        }
    }
}

/// A state in memory.
#[derive(Default)]
struct Kept(BTreeMap<String, Vec<u8>>);

impl Calls for Kept {
    fn state_set(&mut self, key: &str, value: Vec<u8>) -> Result<(), Refusal> {
        self.0.insert(key.to_owned(), value);
        Ok(())
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// A guest that exports `migrate` with this body, which has `$from`, `$from_len`; what stands at 16 is its result.
fn migrating(body: &str) -> Vec<u8> {
    let set = r#"(import "tidegate:bot/state@0.2.0" "set" (func $set (param i32 i32 i32 i32 i32)))"#;
    let exported = format!(
        r#"(func (export "migrate") (param $from i32) (param $from_len i32) (param i32 i32) (result i32) {body} i32.const 16)
        (func (export "handle")"#
    );
    let text = module(&format!(r#"{set} {PRUNE} (data (i32.const 100) "k")"#), "")
        .replace("(func (export \"handle\")", &exported);
    crate::support::component_of_world(&wit(), "policy-with-migration", &text)
}

#[test]
fn a_migration_is_told_the_version_and_reaches_the_state_alone() {
    let store = "(call $set (i32.const 100) (i32.const 1) (local.get $from) (local.get $from_len) (i32.const 64))
        (if (i32.ne (i32.load8_u (i32.const 64)) (i32.const 0)) (then unreachable))";
    // `unavailable` is the case 6.
    let prune = "(call $prune (i32.const 100) (i32.const 1) (i64.const 7) (i32.const 1) (i32.const 100) (i32.const 1)
        (i32.const 64)) (if (i32.ne (i32.load8_u (i32.const 68)) (i32.const 6)) (then unreachable))";
    let plugin = sandbox().load(&migrating(&format!("{store} {prune}"))).unwrap();
    assert!(plugin.about().migrates);
    let handled = plugin.migrate(Box::<Kept>::default(), Timestamp(1), "1.2.3", "{}", 0);
    assert_eq!(handled.result, Ok(()));
    let kept = handled.calls.into_any().downcast::<Kept>().unwrap();
    assert_eq!(kept.0, [("k".to_owned(), b"1.2.3".to_vec())].into());
    assert_eq!(handle(&plugin).1.result, Ok(()), "it handles events like any other");
}

#[test]
fn a_trap_in_a_migration_is_its_fault() {
    let plugin = sandbox().load(&migrating("unreachable")).unwrap();
    let handled = plugin.migrate(Box::<Kept>::default(), Timestamp(1), "", "{}", 0);
    assert!(matches!(handled.result, Err(Fault::Trap(_))), "{:?}", handled.result);
}

#[test]
fn a_migration_may_call_as_often_as_its_state_is_large() {
    // Three calls for each of 16,384 keys.
    let body = "(local $n i32) (loop $l
        (call $set (i32.const 100) (i32.const 1) (i32.const 100) (i32.const 1) (i32.const 64))
        (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 49152))))";
    let plugin = sandbox().load(&migrating(body)).unwrap();
    let migrate = |state_bytes| plugin.migrate(Box::<Kept>::default(), Timestamp(1), "", "{}", state_bytes);
    assert_eq!(migrate(1 << 20).result, Ok(()));
    let refused = migrate(0);
    assert!(matches!(&refused.result, Err(Fault::OverBudget(said)) if said.contains("16384")), "{refused:?}");
}
