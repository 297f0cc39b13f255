//! `tidegate compile-worker`: not for people, and so in no help. A host starts it for each component that must be
//! compiled, see `tidegate_sandbox::Compiler`.

use std::process::ExitCode;

use tidegate_sandbox::Worker;

const NAME: &str = "compile-worker";

/// The worker's life, if this process is one. Ask first thing: it closes what it inherited.
pub(crate) fn instead() -> Option<ExitCode> {
    std::env::args_os().nth(1).is_some_and(|argument| argument == NAME).then(tidegate_sandbox::compile_worker)
}

/// This program as a worker.
pub(crate) fn worker() -> Worker {
    Worker::this_program([NAME])
}
