//! Compiles one component and ends: what the tests start in the place of `tidegate compile-worker`.

fn main() -> std::process::ExitCode {
    tidegate_sandbox::compile_worker()
}
