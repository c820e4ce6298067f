//! The program: arguments in, results and an exit status out.

use crate::arguments::{self, Arguments, HELP};
use crate::history::{self, How};
use crate::report;
use crate::run::{run, Length, Plan, Summary};
use std::ffi::OsString;
use std::time::{Duration, SystemTime};

const SOUND: u8 = 0;
const UNSOUND: u8 = 1;
/// EX_USAGE of sysexits.h.
const WRONG_ARGUMENTS: u8 = 64;

/// Runs what the arguments (without the program's name) ask for, prints the results, and returns the
/// exit status; [`HELP`] lists them.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments = match arguments::parse(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("uring-safe-cancel-simulation: {error}\n\n{HELP}");
            return WRONG_ARGUMENTS;
        }
    };
    if arguments.help {
        println!("{HELP}");
        return SOUND;
    }
    match arguments.seed {
        Some(seed) => replay(seed, arguments.trace),
        None => run_many(&arguments),
    }
}

fn replay(seed: u64, trace: bool) -> u8 {
    match history::run(seed, How { trace, sabotage: None }) {
        Ok(outcome) => {
            let operations = outcome.coverage.operations;
            println!("seed {seed}: {operations} operations, trace {:016x}", outcome.hash);
            SOUND
        }
        Err(_) => UNSOUND,
    }
}

fn run_many(arguments: &Arguments) -> u8 {
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let from = arguments.from.unwrap_or_else(|| clock.map_or(0, |time| time.as_nanos() as u64));
    let plan = Plan {
        seed: from,
        length: arguments.length,
        threads: arguments.threads,
        progress: Some(Duration::from_secs(10)),
    };
    println!("seeds from {from}, {} threads", plan.threads);
    if let Some((part, parts)) = parts(plan.length) {
        return run_in_processes(from, part, parts, plan.threads);
    }
    let summary = run(&plan);
    print(&summary);
    u8::from(!summary.failures.is_empty()) * UNSOUND
}

/// What is given up at a ring's end is never freed, and costs about 40 MB for a million operations. So long
/// runs are parts, each in a process of its own: how long each is, and how many.
fn parts(length: Length) -> Option<(Length, u64)> {
    const OPERATIONS: u64 = 10_000_000;
    const TIME: Duration = Duration::from_secs(60);
    match length {
        Length::Operations(all) if all > OPERATIONS => {
            Some((Length::Operations(OPERATIONS), all.div_ceil(OPERATIONS)))
        }
        Length::Time(all) if all > TIME => {
            Some((Length::Time(TIME), all.as_secs().div_ceil(TIME.as_secs())))
        }
        _ => None,
    }
}

fn run_in_processes(from: u64, part: Length, parts: u64, threads: u64) -> u8 {
    /// More seeds than any part uses.
    const SEEDS: u64 = 1 << 32;
    let (option, length) = match part {
        Length::Operations(count) => ("--operations", count.to_string()),
        Length::Time(time) => ("--minutes", (time.as_secs_f64() / 60.0).to_string()),
    };
    for index in 0..parts {
        let from = from.wrapping_add(index.wrapping_mul(SEEDS));
        println!("part {} of {parts}", index + 1);
        let ended = std::env::current_exe().and_then(|program| {
            let mut command = std::process::Command::new(program);
            command.args([option, &length, "--from", &from.to_string()]);
            command.args(["--threads", &threads.to_string()]).status()
        });
        match ended {
            Ok(status) if status.success() => {}
            Ok(status) => {
                eprintln!("uring-safe-cancel-simulation: part {} failed: {status}", index + 1);
                return UNSOUND;
            }
            Err(error) => {
                eprintln!("uring-safe-cancel-simulation: {error}");
                return UNSOUND;
            }
        }
    }
    println!("{parts} parts of {length} ({option}) each, and no check failed");
    SOUND
}

/// Prints what a run came to.
pub fn print(summary: &Summary) {
    let coverage = &summary.coverage;
    let seconds = summary.time.as_secs_f64();
    print!("{coverage}");
    println!(
        "{} operations in {} histories, {} lives: {:.1} s, {:.0} operations a second",
        coverage.operations,
        summary.histories,
        coverage.lives,
        seconds,
        coverage.operations as f64 / seconds
    );
    println!(
        "{} bytes, {} cancels ({} at most for one operation that ended), {:.1} hours of simulated time",
        coverage.bytes,
        coverage.cancels,
        coverage.most_cancels,
        coverage.simulated as f64 / 3.6e12
    );
    for failure in &summary.failures {
        println!("seed {} failed: {}", failure.seed, failure.message);
        println!("  {}", report::command(failure.seed));
    }
}
