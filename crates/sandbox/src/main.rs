//! Runs a command on hostile ground: without io_uring, with little locked memory or few descriptors,
//! without privileges. Tests use it; it is no protection against anybody.

mod arguments;
mod restrictions;

use arguments::{Arguments, HELP};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitCode, ExitStatus};
use uring_safe_cancel_sandbox::filter;

/// As env(1) and docker(1) have it: the launcher's own failure, a command that cannot be run, and one that
/// is not there.
const OWN_FAILURE: u8 = 125;
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

fn main() -> ExitCode {
    let arguments = match arguments::parse(std::env::args_os().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(&format!("{error}\n\n{HELP}"), OWN_FAILURE),
    };
    if let Err((what, error)) = restrict(&arguments) {
        return fail(&format!("{what}: {error}"), OWN_FAILURE);
    }
    let mut command = Command::new(&arguments.command[0]);
    command.args(&arguments.command[1..]);
    let error = match arguments.monotonic {
        None => command.exec(),
        // Only children are in a new time namespace.
        Some(_) => match command.status() {
            Ok(status) => return ended(status),
            Err(error) => error,
        },
    };
    let status = match error.kind() {
        io::ErrorKind::NotFound => NOT_FOUND,
        _ => NOT_EXECUTABLE,
    };
    fail(&format!("{}: {error}", arguments.command[0].to_string_lossy()), status)
}

/// The status of a command that was awaited; of one that a signal ended, as shells have it.
fn ended(status: ExitStatus) -> ExitCode {
    const SIGNALS: i32 = 128;
    let code = status.code().unwrap_or_else(|| SIGNALS + status.signal().unwrap_or(0));
    ExitCode::from(u8::try_from(code).unwrap_or(OWN_FAILURE))
}

fn fail(text: &str, status: u8) -> ExitCode {
    eprintln!("sandbox: {text}");
    ExitCode::from(status)
}

/// Limits first, because raising them takes privileges; the filter last, because it is the command's.
fn restrict(arguments: &Arguments) -> Result<(), (&'static str, io::Error)> {
    if let Some(bytes) = arguments.memlock {
        restrictions::limit_locked_memory(bytes)
            .map_err(|error| ("limiting locked memory", error))?;
    }
    if let Some(count) = arguments.nofile {
        restrictions::limit_descriptors(count).map_err(|error| ("limiting descriptors", error))?;
    }
    if let Some(seconds) = arguments.monotonic {
        restrictions::shift_clock_of_children(seconds)
            .map_err(|error| ("making a time namespace (which takes root)", error))?;
    }
    if let Some(uid) = arguments.uid {
        restrictions::become_user(uid)
            .map_err(|error| ("becoming another user (which takes root)", error))?;
    }
    if let Some(errno) = arguments.io_uring_errno {
        filter::forbid_io_uring(errno, &arguments.io_uring_calls)
            .map_err(|error| ("forbidding io_uring", error))?;
    }
    Ok(())
}
