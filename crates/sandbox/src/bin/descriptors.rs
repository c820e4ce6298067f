//! `descriptors KIND COUNT COMMAND [ARGUMENT]...`: runs a command that starts with descriptors which only ioctl(2) can make.
//!
//! They are the numbers from 100 on, one each of: `tap` (an interface `lab0`, `lab1`, ..., up), `gpio` (the line events of lines 0, 1,
//! ... of /dev/gpiochip0), `keyboard` (a keyboard of /dev/uinput named `lab0`, ..., which lives as long as its descriptor).
//! `descriptors hangup PATH` hangs a terminal up, as the end of its line does. `descriptors closing-wait PATH HUNDREDTHS` says for how
//! long a close of a serial line waits for its output, in hundredths of a second. For tests on devices, in JavaScript, which has no ioctl.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// Above what a program opens by itself before it looks at these.
const FIRST: RawFd = 100;

/// Numbers of linux/if_tun.h, linux/uinput.h and linux/gpio.h, by the macros of asm-generic/ioctl.h.
mod request {
    use libc::c_ulong;

    pub const TUNSETIFF: c_ulong = 0x4004_54ca;
    pub const UI_SET_EVBIT: c_ulong = 0x4004_5564;
    pub const UI_SET_KEYBIT: c_ulong = 0x4004_5565;
    pub const UI_DEV_CREATE: c_ulong = 0x5501;
    /// With the 592 bytes of `gpio_v2_line_request`.
    pub const GPIO_V2_GET_LINE: c_ulong = 0xc250_b407;
    pub const TIOCVHANGUP: c_ulong = 0x5437;
    /// With the 72 bytes of `serial_struct`.
    pub const TIOCGSERIAL: c_ulong = 0x541e;
    pub const TIOCSSERIAL: c_ulong = 0x541f;
}

const EV_KEY: libc::c_int = 1;
/// Those of a keyboard for writing.
const KEYS: std::ops::Range<libc::c_int> = 1..100;
/// `uinput_user_dev`: a name, an id of four numbers, and ranges of absolute axes.
const UINPUT_NAME: usize = 80;
const UINPUT_USER_DEV: usize = UINPUT_NAME + 8 + 4 + 4 * 64 * 4;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match run(&mut arguments) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("descriptors: {error}");
            ExitCode::from(125)
        }
    }
}

fn run(arguments: &mut impl Iterator<Item = OsString>) -> io::Result<ExitCode> {
    let usage = || {
        io::Error::other(
            "usage: descriptors KIND COUNT COMMAND..., descriptors hangup PATH, or \
             descriptors closing-wait PATH HUNDREDTHS",
        )
    };
    let kind = arguments.next().ok_or_else(usage)?;
    let operand = arguments.next().ok_or_else(usage)?;
    if kind == "hangup" {
        ioctl(&terminal(operand)?, request::TIOCVHANGUP, 0)?;
        return Ok(ExitCode::SUCCESS);
    }
    if kind == "closing-wait" {
        let hundredths = arguments.next().and_then(|text| text.to_str()?.parse().ok());
        closing_wait(&terminal(operand)?, hundredths.ok_or_else(usage)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let count: RawFd = operand.to_str().and_then(|text| text.parse().ok()).ok_or_else(usage)?;
    for index in 0..count {
        let made = match kind.to_str() {
            Some("tap") => tap(index)?,
            Some("gpio") => gpio(index)?,
            Some("keyboard") => keyboard(index)?,
            _ => return Err(usage()),
        };
        hand_on(made, FIRST + index)?;
    }
    let command = arguments.next().ok_or_else(usage)?;
    Err(Command::new(command).args(arguments).exec())
}

fn terminal(path: OsString) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK).open(path)
}

fn closing_wait(line: &File, hundredths: u16) -> io::Result<()> {
    const CLOSING_WAIT: usize = 40;
    let mut settings = [0_u64; 9];
    ioctl(line, request::TIOCGSERIAL, settings.as_mut_ptr() as libc::c_ulong)?;
    let at = CLOSING_WAIT / size_of::<u64>();
    settings[at] = settings[at] & !u64::from(u16::MAX) | u64::from(hundredths);
    ioctl(line, request::TIOCSSERIAL, settings.as_mut_ptr() as libc::c_ulong)
}

/// Gives it the number, which the command inherits.
fn hand_on(made: RawFd, number: RawFd) -> io::Result<()> {
    // SAFETY: no memory is passed, and `made` is a descriptor that nothing else here owns.
    if unsafe { libc::dup2(made, number) } < 0 || unsafe { libc::close(made) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn ioctl(file: &File, number: libc::c_ulong, argument: libc::c_ulong) -> io::Result<()> {
    // SAFETY: whoever passes an address as the argument keeps memory of the size that the request knows behind it.
    if unsafe { libc::ioctl(file.as_raw_fd(), number as _, argument) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn read_and_write(path: &str) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

fn tap(index: RawFd) -> io::Result<RawFd> {
    let file = read_and_write("/dev/net/tun")?;
    // `ifreq`: a name of 16 bytes, then the flags.
    let mut request = [0_u8; 40];
    let name = format!("lab{index}");
    request[..name.len()].copy_from_slice(name.as_bytes());
    let flags = (libc::IFF_TAP | libc::IFF_NO_PI) as u16;
    request[16..18].copy_from_slice(&flags.to_ne_bytes());
    ioctl(&file, request::TUNSETIFF, request.as_mut_ptr() as libc::c_ulong)?;
    Ok(file.into_raw_fd())
}

fn gpio(line: RawFd) -> io::Result<RawFd> {
    let chip = File::open("/dev/gpiochip0")?;
    // `gpio_v2_line_request`: 64 offsets, a name of 32 bytes, 272 bytes of configuration that begin with the flags, then the number
    // of lines, the size of the buffer of events, five unused numbers, and the descriptor.
    const CONFIGURATION: usize = 64 * 4 + 32;
    const LINES: usize = CONFIGURATION + 272;
    const DESCRIPTOR: usize = LINES + 4 + 4 + 5 * 4;
    const INPUT: u64 = 1 << 2;
    const BOTH_EDGES: u64 = 1 << 4 | 1 << 5;
    let mut request = [0_u8; DESCRIPTOR + 4];
    request[..4].copy_from_slice(&line.to_ne_bytes());
    request[64 * 4..64 * 4 + 3].copy_from_slice(b"lab");
    request[CONFIGURATION..CONFIGURATION + 8].copy_from_slice(&(INPUT | BOTH_EDGES).to_ne_bytes());
    request[LINES..LINES + 4].copy_from_slice(&1_u32.to_ne_bytes());
    ioctl(&chip, request::GPIO_V2_GET_LINE, request.as_mut_ptr() as libc::c_ulong)?;
    let [a, b, c, d] = [0, 1, 2, 3].map(|at| request[DESCRIPTOR + at]);
    Ok(RawFd::from_ne_bytes([a, b, c, d]))
}

fn keyboard(index: RawFd) -> io::Result<RawFd> {
    let mut file = read_and_write("/dev/uinput")?;
    ioctl(&file, request::UI_SET_EVBIT, EV_KEY as libc::c_ulong)?;
    for key in KEYS {
        ioctl(&file, request::UI_SET_KEYBIT, key as libc::c_ulong)?;
    }
    let mut device = [0_u8; UINPUT_USER_DEV];
    let name = format!("lab{index}");
    device[..name.len()].copy_from_slice(name.as_bytes());
    file.write_all(&device)?;
    ioctl(&file, request::UI_DEV_CREATE, 0)?;
    Ok(file.into_raw_fd())
}
