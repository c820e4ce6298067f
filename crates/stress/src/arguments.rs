//! The command line.

use crate::scenario::{Limit, Mode, Scenario, FEWEST_THREADS};
use lexopt::prelude::*;
use lexopt::{Error, Parser};
use std::ffi::OsString;
use std::time::Duration;

/// What `--help` prints.
pub const HELP: &str = "\
Usage: uring-safe-cancel-stress [options]

Replicates the program of the 2022 report on lost io_uring completions. Without --async and --spin it
runs two scenarios: 'as reported' (neither) and 'provoked' (both).

  --threads N     threads, rings and eventfds; at least 3 (default: processors, at least 4)
  --rounds N      end after so many rounds of each thread
  --seconds S     end each run after so many seconds (default 10, unless --rounds is given)
  --until-lost    end a run as soon as it has lost something
  --add 0|1       what each write adds. With 1 a later write wakes a lost read, so that it is late instead
                  of lost; with 0 every read must end by its cancel (default 1 as reported, else 0)
  --async         submit the two reads with IOSQE_ASYNC
  --spin [US]     spin for a random time of at most US microseconds before the cancels (default 30)
  --mode MODE     raw (trust one cancel), safe (the library) or both (default)
  --json          print the results as JSON
  --help          print this

Exit status: 0; 1 if safe lost an operation or if anything was lost or invented on the way; 2 without
io_uring; 64 for wrong arguments; 71 without eventfds or threads.";

/// The longest spin before the cancels in the scenario 'provoked'.
const SPIN_MICROSECONDS: u64 = 30;
/// An hour: longer spins are a typing error.
const MOST_SPIN_MICROSECONDS: u64 = 3_600_000_000;
const SECONDS: u64 = 10;
/// So that a typing error does not fork-bomb the machine.
const MOST_THREADS: usize = 4096;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// One after the other.
    pub scenarios: Vec<Scenario>,
    /// One after the other on each scenario.
    pub modes: Vec<Mode>,
    /// Whether to print JSON.
    pub json: bool,
    /// Whether only to print [`HELP`].
    pub help: bool,
}

/// Reads the arguments, without the program's name.
///
/// # Errors
///
/// A text that names the argument, what it got and what it may be.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, Error> {
    let mut parser = Parser::from_args(arguments);
    let mut threads = std::thread::available_parallelism().map_or(4, |n| n.get().max(4));
    let (mut rounds, mut time, mut add) = (None, None, None);
    let mut until_lost = false;
    let (mut asynchronous, mut spin) = (false, None);
    let mut modes = vec![Mode::Raw, Mode::Safe];
    let (mut json, mut help) = (false, false);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("threads") => {
                threads = number(&mut parser, FEWEST_THREADS as u64, MOST_THREADS as u64)? as usize;
            }
            Long("rounds") => rounds = Some(number(&mut parser, 1, u64::MAX)?),
            Long("seconds") => time = Some(seconds(&mut parser)?),
            Long("until-lost") => until_lost = true,
            Long("add") => add = Some(number(&mut parser, 0, 1)?),
            Long("async") => asynchronous = true,
            Long("spin") => spin = Some(spin_time(&mut parser)?),
            Long("mode") => modes = parse_modes(&mut parser)?,
            Long("json") => json = true,
            Long("help") | Short('h') => help = true,
            other => return Err(other.unexpected()),
        }
    }
    let default_time = rounds.is_none().then_some(Duration::from_secs(SECONDS));
    let limit = Limit { rounds, time: time.or(default_time), until_lost };
    let scenario = |name, default_add, asynchronous, spin| Scenario {
        name,
        threads,
        add: add.unwrap_or(default_add),
        asynchronous,
        spin,
        limit,
    };
    let scenarios = if asynchronous || spin.is_some() {
        vec![scenario("as chosen", 0, asynchronous, spin.unwrap_or_default())]
    } else {
        vec![
            scenario("as reported", 1, false, Duration::ZERO),
            scenario("provoked", 0, true, Duration::from_micros(SPIN_MICROSECONDS)),
        ]
    };
    Ok(Arguments { scenarios, modes, json, help })
}

fn number(parser: &mut Parser, least: u64, most: u64) -> Result<u64, Error> {
    let value = parser.value()?;
    value.parse_with(|text| match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ if most == u64::MAX => Err(format!("it must be a number of at least {least}")),
        _ => Err(format!("it must be a number from {least} to {most}")),
    })
}

fn seconds(parser: &mut Parser) -> Result<Duration, Error> {
    parser.value()?.parse_with(|text| {
        let time = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        time.filter(|time| !time.is_zero()).ok_or("it must be a positive number of seconds")
    })
}

/// The value may follow after `=` or as the next argument, or be left out.
fn spin_time(parser: &mut Parser) -> Result<Duration, Error> {
    let next_is_number = |parser: &mut Parser| {
        let next = parser.try_raw_args()?.peek()?.to_str()?.as_bytes().first()?.is_ascii_digit();
        Some(next)
    };
    let given = match parser.optional_value() {
        Some(value) => Some(value),
        None if next_is_number(parser) == Some(true) => Some(parser.value()?),
        None => None,
    };
    let Some(value) = given else { return Ok(Duration::from_micros(SPIN_MICROSECONDS)) };
    value.parse_with(|text| match text.parse() {
        Ok(time @ 0..=MOST_SPIN_MICROSECONDS) => Ok(Duration::from_micros(time)),
        _ => Err(format!("it must be a number of microseconds up to {MOST_SPIN_MICROSECONDS}")),
    })
}

fn parse_modes(parser: &mut Parser) -> Result<Vec<Mode>, Error> {
    parser.value()?.parse_with(|text| match text {
        "raw" => Ok(vec![Mode::Raw]),
        "safe" => Ok(vec![Mode::Safe]),
        "both" => Ok(vec![Mode::Raw, Mode::Safe]),
        _ => Err("it must be raw, safe or both"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Arguments, String> {
        parse(line.split_whitespace().map(OsString::from)).map_err(|error| error.to_string())
    }

    fn limit(rounds: Option<u64>, time: Option<Duration>) -> Limit {
        Limit { rounds, time, until_lost: false }
    }

    #[test]
    fn without_options_both_scenarios_run_ten_seconds_in_both_modes() {
        let arguments = parsed("").unwrap();
        assert_eq!(arguments.modes, [Mode::Raw, Mode::Safe]);
        let [plain, provoked] = &arguments.scenarios[..] else { panic!("{arguments:?}") };
        assert_eq!(
            (plain.name, plain.asynchronous, plain.spin),
            ("as reported", false, Duration::ZERO)
        );
        assert_eq!((provoked.asynchronous, provoked.spin.as_micros()), (true, 30));
        assert_eq!(plain.limit, limit(None, Some(Duration::from_secs(10))));
        assert!(plain.threads >= 4);
        assert_eq!((plain.add, provoked.add), (1, 0));
        let chosen = parsed("--add 1").unwrap().scenarios;
        assert_eq!((chosen[0].add, chosen[1].add), (1, 1));
    }

    #[test]
    fn one_scenario_runs_if_it_is_described() {
        let arguments = parsed("--async --spin 500 --rounds 7 --add 1 --mode safe --json").unwrap();
        let [scenario] = &arguments.scenarios[..] else { panic!("{arguments:?}") };
        assert_eq!(
            (scenario.asynchronous, scenario.spin.as_micros(), scenario.add),
            (true, 500, 1)
        );
        assert_eq!(scenario.limit, limit(Some(7), None));
        assert_eq!((arguments.modes, arguments.json), (vec![Mode::Safe], true));
        for (line, microseconds) in [("--spin", 30), ("--spin=4", 4), ("--spin --async", 30)] {
            assert_eq!(parsed(line).unwrap().scenarios[0].spin.as_micros(), microseconds, "{line}");
        }
    }

    #[test]
    fn a_run_may_end_with_the_first_loss() {
        let arguments = parsed("--until-lost --seconds 60").unwrap();
        assert!(arguments.scenarios.iter().all(|scenario| scenario.limit.until_lost));
    }

    #[test]
    fn wrong_arguments_are_named_with_what_they_may_be() {
        for (line, part) in [
            ("--threads 2", "it must be a number from 3 to 4096"),
            ("--threads x", "\"x\""),
            ("--add 2", "from 0 to 1"),
            ("--rounds 0", "at least 1"),
            ("--seconds -1", "positive number of seconds"),
            ("--seconds NaN", "positive number of seconds"),
            ("--seconds inf", "positive number of seconds"),
            ("--spin 1e3", "number of microseconds"),
            ("--mode quick", "raw, safe or both"),
            ("--mode", "missing argument"),
            ("--fast", "--fast"),
            ("7", "7"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
