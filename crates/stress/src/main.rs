//! See the library beside it.

fn main() -> std::process::ExitCode {
    uring_safe_cancel_stress::program::main(std::env::args_os().skip(1)).into()
}
