//! See the library beside it.

fn main() -> std::process::ExitCode {
    uring_safe_cancel_simulation::program::main(std::env::args_os().skip(1)).into()
}
