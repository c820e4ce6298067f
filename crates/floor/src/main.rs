//! The benchmark's floor: what one thread reaches on the io-uring crate, without JavaScript.
//!
//! - `floor serve WORK` does the work that the JSON object WORK describes, as often as each line on
//!   stdin asks for.
//! - `floor pairs KIND COUNT [--echo] -- PROGRAM ...` runs a program with connected descriptors, which
//!   Node has no call to make.
//! - `floor echo DESCRIPTOR ...` sends back what it is sent.

mod echo;
mod engine;
mod memory;
mod pairs;
mod random;
mod ring;
mod serve;
mod usage;
mod works;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.split_first() {
        Some((verb, rest)) if verb == "serve" => serve::serve(rest),
        Some((verb, rest)) if verb == "pairs" => pairs::run(rest),
        Some((verb, rest)) if verb == "echo" => echo::run(rest),
        _ => {
            Err("usage: floor serve WORK | pairs KIND COUNT [--echo] -- PROGRAM | echo FD ..."
                .into())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floor: {error}");
            ExitCode::FAILURE
        }
    }
}
