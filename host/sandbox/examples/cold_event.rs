//! How long one event takes: a fresh store and instance of the plugin `replicate`, one event in, one effect out,
//! everything dropped again. Nothing is written to disk. Beside it, what wasmtime alone needs for the smallest component.
//!
//! `cargo run --release --package tidegate-sandbox --example cold_event [-- --json]`
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark stops at the first surprise")]

use std::{any::Any, env, fs, hint::black_box, path::Path, time::Instant};

use tidegate_core::{Effect, EffectId, Event, EventKind, Refusal, Step, Timestamp};
use tidegate_sandbox::{Calls, Options, Sandbox};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store,
    component::{Component, Linker},
};

const ROUNDS: usize = 20_000;
const WARM_UP: usize = 2_000;

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

/// Microseconds at the median and at the 99th percentile.
fn timed(mut once: impl FnMut()) -> (f64, f64) {
    (0..WARM_UP).for_each(|_| once());
    let mut nanos: Vec<u128> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            once();
            start.elapsed().as_nanos()
        })
        .collect();
    nanos.sort_unstable();
    let at = |share: usize| nanos.get(ROUNDS * share / 100).copied().unwrap_or_default() as f64 / 1000.0;
    (at(50), at(99))
}

fn event() -> (f64, f64) {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins");
    let folder = env::var_os("TIDEGATE_PLUGINS").map_or(built, Into::into);
    let file = folder.join("replicate.wasm");
    let bytes = fs::read(&file).unwrap_or_else(|error| {
        eprintln!("{}: {error}\nrun `cargo xtask plugins` first, or point TIDEGATE_PLUGINS at them", file.display());
        std::process::exit(1)
    });
    let plugin = Sandbox::new(Options::default()).expect("a sandbox").load(&bytes).expect("a plugin");
    let (run, step) = ("gpt".parse().expect("a name"), Step::try_from(1000).expect("a step"));
    let kind = EventKind::CheckpointComplete { run, step, bytes: 1 << 30 };
    let event = Event { seq: 1, time: Timestamp(1), host: "host-1".parse().expect("a name"), kind };
    timed(|| {
        let handled = plugin.handle(Box::<Collect>::default(), &event, r#"{"target":"default"}"#);
        let collected = handled.calls.into_any().downcast::<Collect>().expect("what went in");
        assert_eq!((handled.result, collected.0.len()), (Ok(()), 1));
    })
}

fn bare() -> (f64, f64) {
    let text = r#"(component
        (core module $m (memory 1) (func (export "f") (param i32) (result i32) local.get 0))
        (core instance $i (instantiate $m))
        (func (export "f") (param "x" u32) (result u32) (canon lift (core func $i "f"))))"#;
    let mut config = Config::new();
    config.concurrency_support(false).epoch_interruption(true);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(PoolingAllocationConfig::new()));
    let engine = Engine::new(&config).expect("an engine");
    let component = Component::from_binary(&engine, &wat::parse_str(text).expect("text")).expect("a component");
    let pre = Linker::<()>::new(&engine).instantiate_pre(&component).expect("no imports");
    timed(|| {
        let mut store = Store::new(&engine, ());
        store.set_epoch_deadline(100);
        let instance = pre.instantiate(&mut store).expect("an instance");
        let f = instance.get_typed_func::<(u32,), (u32,)>(&mut store, "f").expect("the function");
        assert_eq!(black_box(f.call(&mut store, (7,)).expect("a value")), (7,));
    })
}

fn main() {
    let ((event, event_99), (bare, bare_99)) = (event(), bare());
    if env::args().any(|argument| argument == "--json") {
        println!("{{\"cold_event\": {event:.2}, \"cold_event_p99\": {event_99:.2}, \"bare_wasmtime\": {bare:.2}}}");
    } else {
        println!("cold event     {event:8.2} µs median, {event_99:8.2} µs p99   ({ROUNDS} rounds; aim: 15 µs)");
        println!("bare wasmtime  {bare:8.2} µs median, {bare_99:8.2} µs p99   (the smallest component, pooled)");
    }
}
