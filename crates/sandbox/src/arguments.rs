//! The command line.

use crate::filter::ALL_CALLS;
use lexopt::prelude::*;
use lexopt::{Error, Parser};
use std::ffi::OsString;
use std::ops::RangeInclusive;

/// What `--help` prints.
pub const HELP: &str = "\
Usage: sandbox [options] [--] command [arguments]

  --no-io-uring           io_uring_setup, _enter and _register fail (by a seccomp filter)
  --io-uring-errno NAME   with EPERM (default) or ENOSYS; implies --no-io-uring
  --io-uring-call NAME    only setup, enter or register; implies --no-io-uring
  --memlock BYTES         limit of locked memory, soft and hard (root is above it: see --uid)
  --nofile N              limit of descriptors, soft and hard
  --monotonic SECONDS     run in a time namespace whose monotonic clock is so far ahead (or behind); takes root
  --uid N                 run as this user and group, without other groups; takes root
  --help                  print this

Exit status: the command's; 125 if the sandbox could not be made, 126 if the command cannot be run, 127
if it is not there.";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    /// What the three system calls of io_uring answer, if they are forbidden.
    pub io_uring_errno: Option<u16>,
    /// The numbers of the calls that answer it.
    pub io_uring_calls: RangeInclusive<u32>,
    /// Bytes.
    pub memlock: Option<u64>,
    /// The lowest number that no descriptor may have.
    pub nofile: Option<u64>,
    /// How far the command's monotonic clock is ahead, in seconds.
    pub monotonic: Option<i64>,
    /// User and group.
    pub uid: Option<u32>,
    /// The command and its arguments: never empty.
    pub command: Vec<OsString>,
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            io_uring_errno: None,
            io_uring_calls: ALL_CALLS,
            memlock: None,
            nofile: None,
            monotonic: None,
            uid: None,
            command: Vec::new(),
        }
    }
}

/// Reads the arguments, without the program's name. `None` asks for [`HELP`].
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Arguments>, Error> {
    let mut parser = Parser::from_args(arguments);
    let mut parsed = Arguments::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("no-io-uring") => {
                parsed.io_uring_errno.get_or_insert(libc::EPERM as u16);
            }
            Long("io-uring-errno") => {
                parsed.io_uring_errno = Some(parser.value()?.parse_with(|name| match name {
                    "EPERM" => Ok(libc::EPERM as u16),
                    "ENOSYS" => Ok(libc::ENOSYS as u16),
                    _ => Err("it must be EPERM or ENOSYS"),
                })?);
            }
            Long("io-uring-call") => {
                let call: u32 = parser.value()?.parse_with(|name| match name {
                    "setup" => Ok(libc::SYS_io_uring_setup as u32),
                    "enter" => Ok(libc::SYS_io_uring_enter as u32),
                    "register" => Ok(libc::SYS_io_uring_register as u32),
                    _ => Err("it must be setup, enter or register"),
                })?;
                parsed.io_uring_calls = call..=call;
                parsed.io_uring_errno.get_or_insert(libc::EPERM as u16);
            }
            Long("memlock") => parsed.memlock = Some(parser.value()?.parse()?),
            Long("nofile") => parsed.nofile = Some(parser.value()?.parse()?),
            Long("monotonic") => parsed.monotonic = Some(parser.value()?.parse()?),
            Long("uid") => parsed.uid = Some(parser.value()?.parse()?),
            Long("help") | Short('h') => return Ok(None),
            Value(command) => {
                parsed.command = vec![command];
                parsed.command.extend(parser.raw_args()?);
            }
            other => return Err(other.unexpected()),
        }
    }
    if parsed.command.is_empty() {
        return Err("no command".into());
    }
    Ok(Some(parsed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Option<Arguments>, String> {
        parse(line.split_whitespace().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn options_end_where_the_command_begins() {
        let line = "--no-io-uring --memlock 0 --nofile 9 --uid 65534 -- stress --uid x -- y";
        let arguments = parsed(line).unwrap().unwrap();
        assert_eq!(arguments.command, ["stress", "--uid", "x", "--", "y"]);
        assert_eq!(arguments.io_uring_errno, Some(libc::EPERM as u16));
        assert_eq!((arguments.memlock, arguments.nofile), (Some(0), Some(9)));
        assert_eq!(arguments.uid, Some(65534));
        assert_eq!(parsed("true --help").unwrap().unwrap().command, ["true", "--help"]);
        let chosen = parsed("--io-uring-errno ENOSYS --no-io-uring true").unwrap().unwrap();
        assert_eq!(chosen.io_uring_errno, Some(libc::ENOSYS as u16));
        let one = parsed("--io-uring-call enter true").unwrap().unwrap();
        assert_eq!((one.io_uring_errno, one.io_uring_calls), (Some(libc::EPERM as u16), 426..=426));
        assert_eq!(arguments.io_uring_calls, 425..=427);
        let shifted = parsed("--monotonic -100 true").unwrap().unwrap();
        assert_eq!(shifted.monotonic, Some(-100));
        assert_eq!(parsed("--help"), Ok(None));
    }

    #[test]
    fn wrong_arguments_are_named() {
        for (line, part) in [
            ("", "no command"),
            ("--no-io-uring --", "no command"),
            ("--uid -1 true", "\"-1\""),
            ("--memlock much true", "\"much\""),
            ("--monotonic soon true", "\"soon\""),
            ("--io-uring-errno EIO true", "EPERM or ENOSYS"),
            ("--io-uring-call exit true", "setup, enter or register"),
            ("--gid 1 true", "--gid"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
