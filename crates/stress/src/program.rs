//! The program: arguments in, results and an exit status out.

use crate::arguments::{self, Arguments, HELP};
use crate::run::{run, Report, RunError};
use crate::{json, table};
use std::ffi::OsString;

const SOUND: u8 = 0;
const UNSOUND: u8 = 1;
const NO_IO_URING: u8 = 2;
/// EX_USAGE of sysexits.h, because 1 and 2 are taken.
const WRONG_ARGUMENTS: u8 = 64;
/// EX_OSERR.
const NO_RESOURCES: u8 = 71;

/// Runs what the arguments (without the program's name) ask for, prints the results, and returns the
/// exit status; [`HELP`] lists them.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments = match arguments::parse(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return fail(&format!("{error}\n\n{HELP}"), WRONG_ARGUMENTS),
    };
    if arguments.help {
        println!("{HELP}");
        return SOUND;
    }
    let probe = uring_safe_cancel::probe();
    if let Some(reason) = probe.unsupported {
        let remedy = reason.remedy();
        return fail(&format!("io_uring is not available: {reason}; {remedy}"), NO_IO_URING);
    }
    match run_all(&arguments, &probe.kernel) {
        Ok(true) => SOUND,
        Ok(false) => UNSOUND,
        Err(error @ RunError::Start(_)) => fail(&error.to_string(), NO_IO_URING),
        Err(error @ RunError::Io(_)) => fail(&error.to_string(), NO_RESOURCES),
    }
}

fn fail(text: &str, status: u8) -> u8 {
    eprintln!("uring-safe-cancel-stress: {text}");
    status
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
