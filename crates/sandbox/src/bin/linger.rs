//! `linger SECONDS DESCRIPTOR COMMAND...`: runs a command that has, at DESCRIPTOR, a TCP socket whose close waits.
//!
//! It is told to linger (SO_LINGER) for so many seconds, has O_NONBLOCK, and its peer reads nothing as long as the command
//! runs. The command has the only descriptor of it. Exits as the command does.

use std::ffi::OsString;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let mut number = || arguments.next()?.to_str()?.parse::<i32>().ok();
    let (Some(seconds), Some(descriptor)) = (number(), number()) else {
        eprintln!("usage: linger SECONDS DESCRIPTOR COMMAND...");
        return ExitCode::from(64);
    };
    match run(seconds, descriptor, arguments.collect()) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("linger: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(seconds: i32, descriptor: RawFd, command: Vec<OsString>) -> io::Result<ExitCode> {
    let (program, arguments) =
        command.split_first().ok_or_else(|| io::Error::other("no command"))?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let socket = TcpStream::connect(listener.local_addr()?)?;
    let peer = listener.accept()?.0;
    linger(&socket, seconds)?;
    socket.set_nonblocking(true)?;
    let number = socket.as_raw_fd();
    let mut command = Command::new(program);
    command.args(arguments);
    // SAFETY: dup2 may be called between fork and exec.
    unsafe {
        command.pre_exec(move || match libc::dup2(number, descriptor) {
            result if result < 0 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        });
    }
    let mut child = command.spawn()?;
    drop(socket);
    let status = child.wait()?;
    drop(peer);
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}

fn linger(socket: &TcpStream, seconds: i32) -> io::Result<()> {
    let linger = libc::linger { l_onoff: 1, l_linger: seconds };
    let length = size_of::<libc::linger>() as libc::socklen_t;
    // SAFETY: the option's value is this frame's, of the length that is given.
    let result = unsafe {
        let value = std::ptr::from_ref(&linger).cast();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, value, length)
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
