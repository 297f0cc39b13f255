//! Guests in text, the components they become, and a host that remembers what it was asked.

use std::{
    any::Any,
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use tidegate_core::{Checkpoint, Effect, EffectId, Event, EventKind, Refusal, RunName, Step, Timestamp};
use tidegate_sandbox::{Calls, Handled, Options, Plugin, Sandbox};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Where the contract stands.
pub(crate) fn wit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")
}

/// Few instances, and a deadline that only a guest without end can miss, however busy the machine is.
pub(crate) fn small() -> Options {
    Options { instances: 4, deadline: Duration::from_secs(60), tick: Duration::from_millis(5), ..Options::default() }
}

/// A sandbox with these bounds.
pub(crate) fn sandbox_with(options: Options) -> Sandbox {
    Sandbox::new(options).unwrap()
}

/// A small sandbox.
pub(crate) fn sandbox() -> Sandbox {
    sandbox_with(small())
}

/// A sandbox for guests that are meant to miss their deadline.
pub(crate) fn hasty() -> Sandbox {
    sandbox_with(Options { deadline: Duration::from_millis(50), ..small() })
}

/// A core module with an allocator and both exports. `top` stands before everything (imports first), `handle` is the
/// body of `handle`, which leaves nothing on the stack; its result is what stands at address 16: zero is `ok`.
pub(crate) fn module(top: &str, handle: &str) -> String {
    format!(
        r#"(module
        {top}
        (memory (export "memory") 16)
        (global $heap (mut i32) (i32.const 65536))
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            (global.set $heap (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
            global.get $heap
            (global.set $heap (i32.add (global.get $heap) (local.get 3))))
        (func (export "configure") (param i32 i32) (result i32) i32.const 16)
        (func (export "handle")
            (param $seq i64) (param $time i64) (param $host i32) (param $host_len i32) (param $what i32)
            (param i32 i32 i64 i32 i64 i64 i32 i32) (param $settings i32) (param $settings_len i32) (result i32)
            {handle}
            i32.const 16)
        )"#
    )
}

/// The import of `prune`: run, step, tier, reason, and where the answer goes.
pub(crate) const PRUNE: &str = r#"
    (import "tidegate:bot/checkpoints@0.2.0" "prune"
        (func $prune (param i32 i32 i64 i32 i32 i32 i32)))"#;

/// The component of a core module in text, for the world `policy` of a folder of WIT.
pub(crate) fn component_for(wit: &Path, text: &str) -> Vec<u8> {
    component_of_world(wit, "policy", text)
}

/// The component of a core module in text, for this world of a folder of WIT.
pub(crate) fn component_of_world(wit: &Path, world: &str, text: &str) -> Vec<u8> {
    let mut module = wat::parse_str(text).unwrap();
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

/// The component of [`module`].
pub(crate) fn guest(top: &str, handle: &str) -> Vec<u8> {
    component_for(&wit(), &module(top, handle))
}

/// A copy of the contract with one text replaced by another, in a folder of its own.
pub(crate) fn changed_wit(name: &str, changes: &[(&str, &str)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("wit-{name}"));
    fs::create_dir_all(&folder).unwrap();
    for entry in fs::read_dir(wit()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "wit") {
            let text = fs::read_to_string(&path).unwrap();
            let text = changes.iter().fold(text, |text, (from, to)| text.replace(from, to));
            fs::write(folder.join(path.file_name().unwrap()), text).unwrap();
        }
    }
    folder
}

/// A first-party plugin as it was built.
pub(crate) fn built(name: &str) -> Vec<u8> {
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins");
    let file = env::var_os("TIDEGATE_PLUGINS").map_or(usual, PathBuf::from).join(format!("{name}.wasm"));
    fs::read(&file).unwrap_or_else(|error| {
        panic!("{}: {error}; run `cargo xtask plugins` first, or point TIDEGATE_PLUGINS at them", file.display())
    })
}

type Answer = Box<dyn FnMut(&Effect) -> Result<(), Refusal> + Send>;

/// Remembers effects, answers reads from a list.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) effects: Vec<Effect>,
    pub(crate) checkpoints: Vec<Checkpoint>,
    pub(crate) limits: Vec<u32>,
    pub(crate) answer: Option<Answer>,
}

impl Calls for Fake {
    fn runs(&mut self, after: Option<RunName>) -> Result<Vec<RunName>, Refusal> {
        let mut runs: Vec<RunName> = self.checkpoints.iter().map(|it| it.run.clone()).collect();
        runs.sort();
        runs.dedup();
        runs.retain(|run| after.as_ref().is_none_or(|after| run > after));
        Ok(runs)
    }
    fn list(
        &mut self,
        run: RunName,
        before: Option<Step>,
        limit: u32,
    ) -> Result<(Vec<Checkpoint>, Option<Step>), Refusal> {
        self.limits.push(limit);
        let mut found: Vec<Checkpoint> = self.checkpoints.iter().filter(|it| it.run == run).cloned().collect();
        found.sort_by_key(|it| std::cmp::Reverse(it.step));
        found.retain(|it| before.is_none_or(|before| it.step < before));
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let next = found.last().filter(|_| more).map(|it| it.step);
        Ok((found, next))
    }
    fn get(&mut self, run: RunName, step: Step) -> Result<Option<Checkpoint>, Refusal> {
        Ok(self.checkpoints.iter().find(|it| it.run == run && it.step == step).cloned())
    }
    fn effect(&mut self, effect: Effect) -> Result<EffectId, Refusal> {
        if let Some(answer) = &mut self.answer {
            answer(&effect)?;
        }
        self.effects.push(effect);
        Ok(EffectId::of_operator(self.effects.len() as u128))
    }
    fn state_get(&mut self, _: &str) -> Result<Option<Vec<u8>>, Refusal> {
        Ok(None)
    }
    fn state_set(&mut self, _: &str, _: Vec<u8>) -> Result<(), Refusal> {
        Ok(())
    }
    fn state_delete(&mut self, _: &str) -> Result<(), Refusal> {
        Ok(())
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// The event that `gpt` step 100 is complete.
pub(crate) fn event() -> Event {
    let kind = EventKind::CheckpointComplete { run: "gpt".parse().unwrap(), step: step(100), bytes: 1000 };
    Event { seq: 7, time: Timestamp(1_000_000_000), host: "host-1".parse().unwrap(), kind }
}

/// A step.
pub(crate) fn step(step: u64) -> Step {
    step.try_into().unwrap()
}

/// Lets a plugin handle [`event`].
pub(crate) fn handle(plugin: &Plugin) -> (Fake, Handled) {
    handle_with(plugin, Fake::default(), "{}")
}

/// Lets a plugin handle [`event`] with these answers and settings.
pub(crate) fn handle_with(plugin: &Plugin, fake: Fake, settings: &str) -> (Fake, Handled) {
    let Handled { calls, result, logs, usage } = plugin.handle(Box::new(fake), &event(), settings);
    let fake = *calls.into_any().downcast::<Fake>().unwrap();
    (fake, Handled { calls: Box::<Fake>::default(), result, logs, usage })
}

/// A component with a manifest section that holds this text.
pub(crate) fn with_manifest(mut component: Vec<u8>, text: &str) -> Vec<u8> {
    let name = tidegate_core::PluginManifest::SECTION;
    let mut body = vec![u8::try_from(name.len()).unwrap()];
    body.extend(name.as_bytes());
    body.extend(text.as_bytes());
    // Three groups of seven bits hold the length of all that is tried here.
    let group = |shift: usize| u8::try_from((body.len() >> shift) & 0x7f).unwrap();
    assert!(body.len() < 1 << 21);
    component.extend([0, group(0) | 0x80, group(7) | 0x80, group(14)]);
    component.extend(body);
    component
}
