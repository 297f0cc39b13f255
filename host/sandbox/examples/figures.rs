//! What the sandbox costs, each figure beside what bare wasmtime costs in the same run. Nothing is written to disk.
//!
//! - a cold event: a fresh store and instance of the plugin `replicate`, one event in, one effect out, all dropped again;
//!   beside it, bare wasmtime instantiating and calling the smallest component
//! - a host call from a guest that runs already; beside it, the same guest and call in bare wasmtime
//! - how long after its deadline a spinning bot stands still
//! - a well-behaved bot's events while a hostile one spins beside it, and while none does
//! - a component compiled, and one that does nothing but compute, with fuel counted and without
//!
//! `cargo run --release --package tidegate-sandbox --example figures [-- --json]`
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark stops at the first surprise")]

use std::{
    any::Any,
    env, fs,
    hint::black_box,
    path::Path,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Waker},
    time::{Duration, Instant},
};

use tidegate_core::{Effect, EffectId, Event, EventKind, Refusal, Step, Timestamp};
use tidegate_sandbox::{CacheOptions, Calls, Options, Plugin, Sandbox};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store,
    component::{Component, Linker},
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

const ROUNDS: usize = 20_000;
/// Host calls of one event.
const CALLS: u32 = 10_000;

/// Takes effects in and answers nothing else.
#[derive(Default)]
struct Collect(Vec<Effect>);

impl Calls for Collect {
    fn effect(&mut self, effect: Effect) -> Result<EffectId, Refusal> {
        self.0.push(effect);
        Ok(EffectId::of_operator(7))
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// Microseconds of each round.
fn timed(rounds: usize, mut once: impl FnMut()) -> Vec<f64> {
    (0..rounds / 10).for_each(|_| once());
    let each = |_| {
        let start = Instant::now();
        once();
        start.elapsed().as_secs_f64() * 1e6
    };
    let mut micros: Vec<f64> = (0..rounds).map(each).collect();
    micros.sort_unstable_by(f64::total_cmp);
    micros
}

/// The value that so many in a hundred do not exceed.
fn percentile(sorted: &[f64], share: usize) -> f64 {
    sorted.get(sorted.len().saturating_sub(1) * share / 100).copied().unwrap_or_default()
}

/// A component of the world `policy` with these imports, and this body of `handle`.
fn guest(imports: &str, body: &str) -> Vec<u8> {
    let text = format!(
        r#"(module {imports}
        (memory (export "memory") 2)
        (global $heap (mut i32) (i32.const 1024))
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            (global.set $heap (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
            global.get $heap
            (global.set $heap (i32.add (global.get $heap) (local.get 3))))
        (func (export "configure") (param i32 i32) (result i32) i32.const 16)
        (func (export "handle") (param i64 i64 i32 i32 i32 i32 i32 i64 i32 i64 i64 i32 i32 i32 i32) (result i32)
            (local $n i32) {body} i32.const 16))"#
    );
    let mut module = wat::parse_str(text).unwrap();
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")).unwrap();
    let world = resolve.select_world(&[package], Some("policy")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

fn repeated(times: u32, body: &str) -> String {
    format!(
        "(loop $l {body} (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const {times}))))"
    )
}

fn replicate() -> Vec<u8> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins");
    let folder = env::var_os("TIDEGATE_PLUGINS").map_or(built, Into::into);
    let file = folder.join("replicate.wasm");
    fs::read(&file).unwrap_or_else(|error| {
        eprintln!("{}: {error}\nrun `cargo xtask plugins` first, or point TIDEGATE_PLUGINS at them", file.display());
        std::process::exit(1)
    })
}

fn the_event() -> Event {
    let (run, step) = ("gpt".parse().expect("a name"), Step::try_from(1000).expect("a step"));
    let kind = EventKind::CheckpointComplete { run, step, bytes: 1 << 30 };
    Event { seq: 1, time: Timestamp(1), host: "host-1".parse().expect("a name"), kind }
}

fn one_event(plugin: &Plugin, event: &Event) {
    let handled = plugin.handle(Box::<Collect>::default(), event, r#"{"target":"default"}"#);
    assert_eq!(handled.result, Ok(()));
}

fn cold_event(options: Options) -> Vec<f64> {
    let plugin = Sandbox::new(options).expect("a sandbox").load(&replicate()).expect("a plugin");
    let event = the_event();
    timed(ROUNDS, || {
        let handled = plugin.handle(Box::<Collect>::default(), &event, r#"{"target":"default"}"#);
        let collected = handled.calls.into_any().downcast::<Collect>().expect("what went in");
        assert_eq!((handled.result, collected.0.len()), (Ok(()), 1));
    })
}

fn bare_engine() -> Engine {
    let mut config = Config::new();
    config.concurrency_support(false).epoch_interruption(true);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(PoolingAllocationConfig::new()));
    Engine::new(&config).expect("an engine")
}

fn bare_cold() -> Vec<f64> {
    let text = r#"(component
        (core module $m (memory 1) (func (export "f") (param i32) (result i32) local.get 0))
        (core instance $i (instantiate $m))
        (func (export "f") (param "x" u32) (result u32) (canon lift (core func $i "f"))))"#;
    let engine = bare_engine();
    let component = Component::from_binary(&engine, &wat::parse_str(text).expect("text")).expect("a component");
    let pre = Linker::<()>::new(&engine).instantiate_pre(&component).expect("no imports");
    timed(ROUNDS, || {
        let mut store = Store::new(&engine, ());
        store.set_epoch_deadline(100);
        let instance = pre.instantiate(&mut store).expect("an instance");
        let f = instance.get_typed_func::<(u32,), (u32,)>(&mut store, "f").expect("the function");
        assert_eq!(black_box(f.call(&mut store, (7,)).expect("a value")), (7,));
    })
}

/// The smallest component once more, each call on a stack of its own, as asynchronous host functions need it. It is never
/// suspended: what is measured is the price of being able to.
fn bare_async() -> Vec<f64> {
    let text = r#"(component
        (core module $m (memory 1) (func (export "f") (param i32) (result i32) local.get 0))
        (core instance $i (instantiate $m))
        (func (export "f") (param "x" u32) (result u32) (canon lift (core func $i "f"))))"#;
    let engine = bare_engine();
    let component = Component::from_binary(&engine, &wat::parse_str(text).expect("text")).expect("a component");
    let pre = Linker::<()>::new(&engine).instantiate_pre(&component).expect("no imports");
    timed(ROUNDS, || {
        let mut store = Store::new(&engine, ());
        store.set_epoch_deadline(100);
        let once = async {
            let instance = pre.instantiate_async(&mut store).await.expect("an instance");
            let f = instance.get_typed_func::<(u32,), (u32,)>(&mut store, "f").expect("the function");
            assert_eq!(black_box(f.call_async(&mut store, (7,)).await.expect("a value")), (7,));
        };
        let mut context = Context::from_waker(Waker::noop());
        assert!(pin!(once).poll(&mut context).is_ready());
    })
}

/// The plugin of the cold event in bare wasmtime: instantiated, and its `configure` called, which reads the same settings and
/// asks the host for nothing.
fn bare_same() -> Vec<f64> {
    let engine = bare_engine();
    let component = Component::from_binary(&engine, &replicate()).expect("a component");
    let mut linker = Linker::<()>::new(&engine);
    linker.define_unknown_imports_as_traps(&component).expect("its imports");
    let pre = linker.instantiate_pre(&component).expect("its imports");
    timed(ROUNDS, || {
        let mut store = Store::new(&engine, ());
        store.set_epoch_deadline(100);
        let instance = pre.instantiate(&mut store).expect("an instance");
        let f =
            instance.get_typed_func::<(&str,), (Result<(), String>,)>(&mut store, "configure").expect("the function");
        assert_eq!(f.call(&mut store, (r#"{"target":"default"}"#,)).expect("a value"), (Ok(()),));
    })
}

const NOW: &str = r#"(import "tidegate:bot/clock@0.2.0" "now" (func $now (result i64)))"#;

/// Nanoseconds of one host call: the time of an event with many, less that of one with none.
fn warm_call() -> f64 {
    let sandbox = Sandbox::new(Options::default()).expect("a sandbox");
    let (many, none) = (guest(NOW, &repeated(CALLS, "(drop (call $now))")), guest(NOW, "(drop (call $now))"));
    let event = the_event();
    let [many, none] = [many, none].map(|component| {
        let plugin = sandbox.load(&component).expect("a plugin");
        percentile(&timed(500, || one_event(&plugin, &event)), 50)
    });
    (many - none) * 1e3 / f64::from(CALLS - 1)
}

/// The same with a host function that does the same, and nothing else.
fn bare_call() -> f64 {
    let text = |body: &str| {
        format!(
            r#"(component
            (import "now" (func $now (result u64)))
            (core func $lowered (canon lower (func $now)))
            (core module $m (import "" "now" (func $now (result i64)))
                (func (export "f") (local $n i32) {body}))
            (core instance $i (instantiate $m (with "" (instance (export "now" (func $lowered))))))
            (func (export "f") (canon lift (core func $i "f"))))"#
        )
    };
    let engine = bare_engine();
    let mut linker = Linker::<u64>::new(&engine);
    linker.root().func_wrap("now", |store, ()| Ok((*store.data(),))).expect("a function");
    let run = |body: &str| {
        let component =
            Component::from_binary(&engine, &wat::parse_str(text(body)).expect("text")).expect("a component");
        let pre = linker.instantiate_pre(&component).expect("its import");
        let micros = timed(500, || {
            let mut store = Store::new(&engine, 7);
            store.set_epoch_deadline(1_000_000);
            let instance = pre.instantiate(&mut store).expect("an instance");
            let f = instance.get_typed_func::<(), ()>(&mut store, "f").expect("the function");
            f.call(&mut store, ()).expect("an end");
        });
        percentile(&micros, 50)
    };
    (run(&repeated(CALLS, "(drop (call $now))")) - run("(drop (call $now))")) * 1e3 / f64::from(CALLS - 1)
}

/// Milliseconds from the deadline until a spinning bot stands still.
fn stop_delay(options: &Options) -> Vec<f64> {
    let deadline = Duration::from_millis(50);
    let options = Options { deadline, fuel: None, ..options.clone() };
    let plugin = Sandbox::new(options).expect("a sandbox").load(&guest("", "(loop $l (br $l))")).expect("a plugin");
    let event = the_event();
    let mut late: Vec<f64> = (0..60)
        .map(|nth| {
            // The last one was stopped by a tick: not every one begins right after that.
            std::thread::sleep(Duration::from_micros(370 * nth));
            let start = Instant::now();
            let handled = plugin.handle(Box::<Collect>::default(), &event, "{}");
            assert!(handled.result.is_err());
            (start.elapsed().as_secs_f64() - deadline.as_secs_f64()) * 1e3
        })
        .collect();
    late.sort_unstable_by(f64::total_cmp);
    late
}

/// A well-behaved bot's events, without and with a bot that spins in the same sandbox until its fuel is used up, again and
/// again. In turns, so that both see the same machine.
fn neighbour() -> (Vec<f64>, Vec<f64>) {
    let sandbox = Sandbox::new(Options::default()).expect("a sandbox");
    let good = sandbox.load(&replicate()).expect("a plugin");
    let hostile = sandbox.load(&guest("", "(loop $l (br $l))")).expect("a plugin");
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    let event = the_event();
    for _ in 0..10 {
        alone.extend(timed(ROUNDS / 10, || one_event(&good, &event)));
        let ended = Arc::new(AtomicBool::new(false));
        let (stop, hostile, theirs) = (ended.clone(), hostile.clone(), event.clone());
        let spinning = std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                assert!(hostile.handle(Box::<Collect>::default(), &theirs, "{}").result.is_err());
            }
        });
        beside.extend(timed(ROUNDS / 10, || one_event(&good, &event)));
        ended.store(true, Ordering::Relaxed);
        spinning.join().expect("the hostile bot's thread");
    }
    alone.sort_unstable_by(f64::total_cmp);
    beside.sort_unstable_by(f64::total_cmp);
    (alone, beside)
}

/// Microseconds of a bot that only computes: a million turns of a loop.
fn computing(fuel: Option<u64>) -> f64 {
    let component = guest("", &repeated(1_000_000, "(drop (i32.mul (local.get $n) (i32.const 31)))"));
    let sandbox = Sandbox::new(Options { fuel, ..Options::default() }).expect("a sandbox");
    let plugin = sandbox.load(&component).expect("a plugin");
    let event = the_event();
    percentile(&timed(200, || one_event(&plugin, &event)), 50)
}

/// Milliseconds to check and compile `replicate`.
fn compiling() -> f64 {
    let component = replicate();
    let sandbox = Sandbox::new(Options::default()).expect("a sandbox");
    percentile(&timed(20, || drop(sandbox.load(&component).expect("a plugin"))), 50) / 1e3
}

/// Milliseconds to load it when a host has compiled it before.
fn cached() -> f64 {
    let (component, dir) = (replicate(), tempfile::tempdir().expect("a directory"));
    let cache = Some(CacheOptions::new(dir.path().join("compiled")));
    let sandbox = Sandbox::new(Options { cache, ..Options::default() }).expect("a sandbox");
    drop(sandbox.load(&component).expect("a plugin"));
    percentile(&timed(50, || drop(sandbox.load(&component).expect("a plugin"))), 50) / 1e3
}

fn main() {
    let options = Options::default();
    let (cold, bare, same) = (cold_event(options.clone()), bare_cold(), bare_same());
    let uncounted = cold_event(Options { fuel: None, ..options.clone() });
    let (late, (alone, beside)) = (stop_delay(&options), neighbour());
    let tick = options.tick.as_secs_f64() * 1e3;
    let figures = [
        ("cold_event", percentile(&cold, 50), "µs, median"),
        ("cold_event_p99", percentile(&cold, 99), "µs"),
        ("cold_event_without_fuel", percentile(&uncounted, 50), "µs, median"),
        ("bare_wasmtime", percentile(&bare, 50), "µs, median: the smallest component"),
        ("bare_async", percentile(&bare_async(), 50), "µs, median: the smallest component, on a stack of its own"),
        ("bare_same", percentile(&same, 50), "µs, median: `replicate` instantiated and its `configure` called"),
        ("warm_call", warm_call(), "ns"),
        ("bare_call", bare_call(), "ns: bare wasmtime"),
        ("stop_delay", percentile(&late, 50), "ms after the deadline, median"),
        ("stop_delay_most", percentile(&late, 100), "ms"),
        ("tick", tick, "ms"),
        ("alone_p99", percentile(&alone, 99), "µs, no other bot"),
        ("beside_p99", percentile(&beside, 99), "µs, a spinning bot beside it"),
        ("alone", percentile(&alone, 50), "µs, median, no other bot"),
        ("beside", percentile(&beside, 50), "µs, median, a spinning bot beside it"),
        ("computing", computing(options.fuel), "µs: a million turns of a loop, fuel counted"),
        ("computing_without_fuel", computing(None), "µs: the same, not counted"),
        ("compiling", compiling(), "ms: `replicate`"),
        ("cached", cached(), "ms: the same from the cache"),
    ];
    if env::args().any(|argument| argument == "--json") {
        let fields: Vec<String> = figures.iter().map(|(name, value, _)| format!("\"{name}\": {value:.3}")).collect();
        println!("{{{}}}", fields.join(", "));
    } else {
        figures.iter().for_each(|(name, value, unit)| println!("{name:<24} {value:>10.2} {unit}"));
    }
}
