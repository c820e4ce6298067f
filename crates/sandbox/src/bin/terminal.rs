//! `terminal [--raw] [--min BYTES] [--time TENTHS] [--given DESCRIPTOR]`: one end of a pseudo-terminal, held as a test says.
//!
//! It opens a pseudo-terminal, prints the path of its slave and holds the master. With `--given` it holds the slave of a master
//! that it inherits (a master cannot be opened by a path: /proc/self/fd would make a new pair). `--raw`, `--min` and `--time`
//! set the line discipline: VMIN and VTIME. It ends when its standard input does.
//!
//! Commands, one a line, each answered by a line:
//!
//! - `write TEXT`: writes to its end.
//! - `drain MILLISECONDS`: from then on reads its end, for ever.
//! - `drained`: answers how many bytes that were.
//! - `hangup MILLISECONDS`: then closes its end.
//! - `rival BYTES`: reads the slave beside whoever else does, until it has got so many.
//! - `rivalled`: answers how many bytes the rival got.
//! - `watchdog MILLISECONDS`: whenever no command came for so long, writes a byte: whoever told it what to do waits for one.
//! - `barked`: answers how many bytes that were.
//!
//! After a `drain` or `hangup` whatever waits for this end waits no longer: a test of what must not wait ends in any case.

use lexopt::prelude::*;
use std::ffi::{CStr, OsStr};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Default)]
struct Arguments {
    is_raw: bool,
    minimum: Option<u8>,
    tenths: Option<u8>,
    given: Option<RawFd>,
}

impl Arguments {
    fn parse() -> Result<Self, lexopt::Error> {
        let mut arguments = Self::default();
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("raw") => arguments.is_raw = true,
                Long("min") => arguments.minimum = Some(parser.value()?.parse()?),
                Long("time") => arguments.tenths = Some(parser.value()?.parse()?),
                Long("given") => arguments.given = Some(parser.value()?.parse()?),
                _ => return Err(argument.unexpected()),
            }
        }
        Ok(arguments)
    }
}

fn main() -> ExitCode {
    let arguments = match Arguments::parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("terminal: {error}");
            return ExitCode::from(64);
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("terminal: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> io::Result<()> {
    let master = match arguments.given {
        // SAFETY: whoever started this program gave it the descriptor.
        Some(given) => unsafe { OwnedFd::from_raw_fd(given) },
        None => open_master()?,
    };
    let path = unlock(&master)?;
    set_line(&master, arguments)?;
    let end = match arguments.given {
        // The slave alone: the caller's closing of its master must be the last one.
        Some(_) => open_slave(&path)?,
        None => File::from(master),
    };
    println!("{}", path.display());
    serve(end, &path)
}

fn open_master() -> io::Result<OwnedFd> {
    // SAFETY: the call takes an integer.
    let number = unsafe { libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC) };
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Lets the slave be opened, and says where it is.
fn unlock(master: &OwnedFd) -> io::Result<PathBuf> {
    let mut name = [0; 64];
    // SAFETY: the name's buffer is this frame's, of the length that is given.
    let failed = unsafe {
        libc::unlockpt(master.as_raw_fd()) != 0
            || libc::ptsname_r(master.as_raw_fd(), name.as_mut_ptr(), name.len()) != 0
    };
    if failed {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call did not fail, so it is a C string.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) };
    Ok(PathBuf::from(OsStr::from_bytes(name.to_bytes())))
}

fn set_line(master: &OwnedFd, arguments: &Arguments) -> io::Result<()> {
    if !arguments.is_raw {
        return Ok(());
    }
    let number = master.as_raw_fd();
    let mut line = std::mem::MaybeUninit::<libc::termios>::uninit();
    // SAFETY: tcgetattr fills the structure in, or fails, and then it is not used.
    let is_set = unsafe {
        libc::tcgetattr(number, line.as_mut_ptr()) == 0 && {
            let mut line = line.assume_init();
            libc::cfmakeraw(&mut line);
            line.c_cc[libc::VMIN] = arguments.minimum.unwrap_or(1);
            line.c_cc[libc::VTIME] = arguments.tenths.unwrap_or(0);
            libc::tcsetattr(number, libc::TCSANOW, &line) == 0
        }
    };
    if is_set {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn open_slave(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open(path)
}

fn serve(end: File, path: &Path) -> io::Result<()> {
    let end = Arc::new(Mutex::new(Some(end)));
    let drained = Arc::new(AtomicU64::new(0));
    let rivalled = Arc::new(AtomicU64::new(0));
    let barked = Arc::new(AtomicU64::new(0));
    let commands = Arc::new(AtomicU64::new(0));
    for line in io::stdin().lock().lines() {
        let line = line?;
        commands.fetch_add(1, Ordering::AcqRel);
        let (command, argument) = line.split_once(' ').unwrap_or((&line, ""));
        let milliseconds = || argument.parse().map(Duration::from_millis).map_err(io::Error::other);
        match command {
            "write" => copy_of(&end)?.write_all(argument.as_bytes())?,
            "drain" => {
                let (file, after, count) = (copy_of(&end)?, milliseconds()?, Arc::clone(&drained));
                std::thread::spawn(move || {
                    std::thread::sleep(after);
                    read_until(file, &count, u64::MAX);
                });
            }
            "hangup" => {
                let (end, after) = (Arc::clone(&end), milliseconds()?);
                std::thread::spawn(move || {
                    std::thread::sleep(after);
                    end.lock().map_or(None, |mut end| end.take())
                });
            }
            "rival" => {
                let (file, count) = (open_slave(path)?, Arc::clone(&rivalled));
                let most = argument.parse().map_err(io::Error::other)?;
                std::thread::spawn(move || read_until(file, &count, most));
            }
            "watchdog" => {
                let (file, patience) = (copy_of(&end)?, milliseconds()?);
                let (commands, barked) = (Arc::clone(&commands), Arc::clone(&barked));
                std::thread::spawn(move || watch(file, patience, &commands, &barked));
            }
            "barked" => {
                println!("{}", barked.load(Ordering::Acquire));
                continue;
            }
            "drained" => {
                println!("{}", drained.load(Ordering::Acquire));
                continue;
            }
            "rivalled" => {
                println!("{}", rivalled.load(Ordering::Acquire));
                continue;
            }
            _ => return Err(io::Error::other(format!("unknown command: {line}"))),
        }
        println!("ok");
    }
    Ok(())
}

fn copy_of(end: &Mutex<Option<File>>) -> io::Result<File> {
    let end = end.lock().map_err(|_| io::Error::other("a thread panicked"))?;
    end.as_ref().ok_or_else(|| io::Error::other("it has hung up"))?.try_clone()
}

fn read_until(mut file: File, count: &AtomicU64, most: u64) {
    let mut buffer = [0; 4096];
    // The other end may be closed, and opened again.
    while count.load(Ordering::Acquire) < most {
        match file.read(&mut buffer) {
            Ok(0) | Err(_) => std::thread::sleep(Duration::from_millis(10)),
            Ok(length) => _ = count.fetch_add(length as u64, Ordering::AcqRel),
        }
    }
}

fn watch(mut file: File, patience: Duration, commands: &AtomicU64, barked: &AtomicU64) {
    loop {
        let before = commands.load(Ordering::Acquire);
        std::thread::sleep(patience);
        if commands.load(Ordering::Acquire) == before && file.write_all(b"w").is_ok() {
            barked.fetch_add(1, Ordering::AcqRel);
        }
    }
}
