//! How long a component takes until it can run: compiled in this process, in a worker, and from the cache of an earlier
//! start. The plugin `replicate`, unless a file is named.
//!
//! `cargo run --release --package tidegate-sandbox --example compile_and_load [-- FILE] [--json]`
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark stops at the first surprise")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use tidegate_sandbox::{CacheOptions, Compiler, Options, Sandbox, Worker, compile_worker};

const ROUNDS: usize = 21;
const WORKER: &str = "compile-worker";

/// Milliseconds at the median for one load by a sandbox of its own, as after a start.
fn timed(options: impl Fn() -> Options, component: &[u8]) -> f64 {
    let mut millis: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let sandbox = Sandbox::new(options()).expect("a sandbox");
            let start = Instant::now();
            sandbox.load(component).expect("a plugin");
            start.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    millis.sort_by(f64::total_cmp);
    millis.get(ROUNDS / 2).copied().unwrap_or_default()
}

fn main() -> ExitCode {
    let (flags, files): (Vec<_>, Vec<_>) = env::args().skip(1).partition(|argument| argument.starts_with("--"));
    if files.first().is_some_and(|first| first == WORKER) {
        return compile_worker();
    }
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins");
    let folder = env::var_os("TIDEGATE_PLUGINS").map_or(built, Into::into);
    let file = files.first().map_or_else(|| folder.join("replicate.wasm"), PathBuf::from);
    let Ok(component) = fs::read(&file) else {
        eprintln!("{} can't be read: run `cargo xtask plugins` first, or name a component", file.display());
        return ExitCode::FAILURE;
    };
    let dir = tempfile::tempdir().expect("a directory");
    let cache = || Some(CacheOptions::new(dir.path().join("compiled")));
    let small = || Options { instances: 4, ..Options::default() };
    let here = timed(small, &component);
    let compiler = || Compiler::Worker(Worker::this_program([WORKER]));
    let worker = timed(|| Options { compiler: compiler(), ..small() }, &component);
    let cached = || Options { compiler: compiler(), cache: cache(), ..small() };
    Sandbox::new(cached()).expect("a sandbox").load(&component).expect("a plugin");
    let cached = timed(cached, &component);
    if flags.iter().any(|flag| flag == "--json") {
        println!("{{\"compile\": {here:.2}, \"compile_in_worker\": {worker:.2}, \"cached_load\": {cached:.2}}}");
    } else {
        println!("{} bytes, median of {ROUNDS}", component.len());
        println!("compiled here      {here:8.2} ms   (all cores)");
        println!("compiled by worker {worker:8.2} ms   (one core, its process included)");
        println!("from the cache     {cached:8.2} ms");
    }
    ExitCode::SUCCESS
}
