//! See the library beside it.

use std::process::ExitCode;
use uring_safe_cancel_stress::arguments::{self, Arguments, HELP};
use uring_safe_cancel_stress::run::RunError;
use uring_safe_cancel_stress::{json, run, table, Report};

const UNSOUND: u8 = 1;
const NO_IO_URING: u8 = 2;
/// EX_USAGE of sysexits.h, because 1 and 2 are taken.
const WRONG_ARGUMENTS: u8 = 64;
/// EX_OSERR.
const NO_RESOURCES: u8 = 71;

fn main() -> ExitCode {
    let arguments = match arguments::parse(std::env::args_os().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => return fail(&format!("{error}\n\n{HELP}"), WRONG_ARGUMENTS),
    };
    if arguments.help {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let probe = uring_safe_cancel::probe();
    if let Some(reason) = probe.unsupported {
        return fail(&format!("io_uring is not available: {reason}"), NO_IO_URING);
    }
    match run_all(&arguments, &probe.kernel) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(UNSOUND),
        Err(error @ RunError::Start(_)) => fail(&error.to_string(), NO_IO_URING),
        Err(error @ RunError::Io(_)) => fail(&error.to_string(), NO_RESOURCES),
    }
}

fn fail(text: &str, status: u8) -> ExitCode {
    eprintln!("uring-safe-cancel-stress: {text}");
    ExitCode::from(status)
}

/// Returns whether all was sound.
fn run_all(arguments: &Arguments, kernel: &str) -> Result<bool, RunError> {
    let mut all: Vec<Report> = Vec::new();
    if !arguments.json {
        println!("Linux {kernel}");
    }
    for scenario in &arguments.scenarios {
        let reports = arguments
            .modes
            .iter()
            .map(|&mode| run(scenario, mode))
            .collect::<Result<Vec<_>, _>>()?;
        if !arguments.json {
            println!("\n{}", table::table(&reports).trim_end());
        }
        all.extend(reports);
    }
    if arguments.json {
        println!("{:#}", json::document(kernel, &all));
    }
    Ok(all.iter().all(|report| report.problems.is_empty()))
}
