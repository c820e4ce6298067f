//! The command line.

use crate::run::Length;
use lexopt::prelude::*;
use lexopt::{Error, Parser};
use std::ffi::OsString;
use std::time::Duration;

/// What `--help` prints.
pub const HELP: &str = "\
Usage: uring-safe-cancel-simulation [options]

Runs the real ring over a simulated kernel, history after history, and checks the contract at every step.

  --operations N  end after so many operations (1e9 is 1000000000; default 1e8)
  --minutes M     end after so many minutes
  --from N        the first history's seed (default: from the clock)
  --threads N     threads (default: processors)
  --seed N        run the one history of this seed
  --trace         with --seed: print each step
  --help          print this

Exit status: 0; 1 if a check failed (its seed is printed); 64 for wrong arguments.";

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Arguments {
    /// How long to run.
    pub length: Length,
    /// The first seed.
    pub from: Option<u64>,
    /// How many threads.
    pub threads: u64,
    /// The one history to run.
    pub seed: Option<u64>,
    /// Whether to print its steps.
    pub trace: bool,
    /// Whether only to print [`HELP`].
    pub help: bool,
}

const OPERATIONS: u64 = 100_000_000;
/// So that a typing error does not fork-bomb the machine.
const MOST_THREADS: u64 = 1024;

/// Reads the arguments, without the program's name.
///
/// # Errors
///
/// A text that names the argument, what it got and what it may be.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, Error> {
    let mut parser = Parser::from_args(arguments);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let length = Length::Operations(OPERATIONS);
    let mut parsed =
        Arguments { length, from: None, threads, seed: None, trace: false, help: false };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("operations") => {
                let count = positive(&mut parser, "operations")?;
                parsed.length = Length::Operations(count as u64);
            }
            Long("minutes") => {
                let minutes = positive(&mut parser, "minutes")?;
                parsed.length = Length::Time(Duration::from_secs_f64(minutes * 60.0));
            }
            Long("from") => parsed.from = Some(parser.value()?.parse()?),
            Long("threads") => {
                parsed.threads = parser.value()?.parse()?;
                if !(1..=MOST_THREADS).contains(&parsed.threads) {
                    return Err(format!("--threads must be from 1 to {MOST_THREADS}").into());
                }
            }
            Long("seed") => parsed.seed = Some(parser.value()?.parse()?),
            Long("trace") => parsed.trace = true,
            Long("help") | Short('h') => parsed.help = true,
            other => return Err(other.unexpected()),
        }
    }
    if parsed.trace && parsed.seed.is_none() {
        return Err("--trace needs --seed".into());
    }
    Ok(parsed)
}

/// A number above zero, also as 1e9.
fn positive(parser: &mut Parser, name: &str) -> Result<f64, Error> {
    /// Above it, neither a count nor a time in seconds can be told from others.
    const MOST: f64 = 1e15;
    let number: f64 = parser.value()?.parse()?;
    if !(number > 0.0 && number <= MOST) {
        return Err(format!("--{name} must be above 0, and {MOST:e} at most").into());
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(text: &str) -> Result<Arguments, String> {
        parse(text.split_whitespace().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn lengths_and_seeds() {
        assert_eq!(parse_text("").unwrap().length, Length::Operations(100_000_000));
        let long = parse_text("--operations 1e9 --from 7 --threads 3").unwrap();
        assert_eq!(
            (long.length, long.from, long.threads),
            (Length::Operations(1_000_000_000), Some(7), 3)
        );
        let timed = parse_text("--minutes 0.5").unwrap();
        assert_eq!(timed.length, Length::Time(Duration::from_secs(30)));
        assert_eq!(parse_text("--seed 18446744073709551615").unwrap().seed, Some(u64::MAX));
    }

    #[test]
    fn refusals() {
        for wrong in
            ["--operations 0", "--minutes NaN", "--threads 0", "--trace", "--what", "--seed x"]
        {
            assert!(parse_text(wrong).is_err(), "{wrong}");
        }
    }
}
