//! `kinds-helper CHANNEL`: makes the system calls that it is asked for on a socket, one line each, and answers with what came of them.
//!
//! Node has no system call for most of what a kind of descriptor needs (terminals, packets, seals, namespaces, sessions), and
//! a call that blocks for ever must be one that somebody else can end. So the kinds matrix has processes of this program:
//! each does what it is told, forks another that shares all its descriptors (`fork`), becomes another program (`exec`), starts one
//! (`spawn`), or hands a descriptor to the process of the ring (`send`).
//!
//! A request is `ID VERB WORDS...`, an answer `ID RESULT ERRNO OUTS...`. The words of a call are those of [`words`].

mod answer;
mod memory;
mod numbers;
mod streams;
mod words;

use std::ffi::CString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::process::ExitCode;

use answer::Answer;

fn main() -> ExitCode {
    let Some(channel) = std::env::args().nth(1).and_then(|word| word.parse().ok()) else {
        eprintln!("usage: kinds-helper CHANNEL");
        return ExitCode::from(64);
    };
    match Server::new(channel).serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kinds-helper: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What a request does to the server itself.
enum Next {
    Answer(Answer),
    /// It is another process now, which has another channel, and nobody to answer to.
    Became(Server),
}

struct Server {
    input: BufReader<File>,
}

impl Server {
    fn new(channel: RawFd) -> Self {
        // SAFETY: the number is that of a socket which whoever started this process made for it alone.
        let file = unsafe { File::from_raw_fd(channel) };
        // An actor before this one may have become a Node, which makes what it reads from O_NONBLOCK.
        // SAFETY: the calls take numbers.
        unsafe {
            let flags = libc::fcntl(channel, libc::F_GETFL);
            libc::fcntl(channel, libc::F_SETFL, flags & !libc::O_NONBLOCK);
        }
        Self { input: BufReader::new(file) }
    }

    fn serve(mut self) -> io::Result<()> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.input.read_line(&mut line)? == 0 {
                return Ok(());
            }
            // What was said to the process of a ring that ended before it read it.
            if line.starts_with('{') {
                continue;
            }
            let mut words = line.split_whitespace();
            let (Some(id), Some(verb)) = (words.next(), words.next()) else {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("no request: {line}"),
                ));
            };
            let words: Vec<&str> = words.collect();
            match self.perform(verb, &words) {
                Ok(Next::Answer(answer)) => {
                    self.input.get_mut().write_all(format!("{id} {answer}\n").as_bytes())?;
                }
                // The number of the parent's channel stays taken: what is opened next must not be among the channels.
                Ok(Next::Became(server)) => std::mem::forget(std::mem::replace(&mut self, server)),
                Err(problem) => {
                    self.input.get_mut().write_all(format!("{id} ! {problem}\n").as_bytes())?;
                }
            }
        }
    }

    fn perform(&self, verb: &str, words: &[&str]) -> Result<Next, String> {
        Ok(Next::Answer(match verb {
            "call" => words::call(words)?,
            "fork" => return self.fork(number(words, 0)?),
            "exec" => exec(words)?,
            "spawn" => spawn(words)?,
            "send" => send(words)?,
            "handle" => dispose(number(words, 0)?, nothing as *const () as usize),
            "ignore" => dispose(number(words, 0)?, libc::SIG_IGN),
            "default" => dispose(number(words, 0)?, libc::SIG_DFL),
            "fill" => streams::fill(number(words, 0)?, number(words, 1)? as usize),
            "drain" => streams::drain(
                number(words, 0)?,
                number(words, 1)? as usize,
                number(words, 2)? as usize,
            ),
            _ => return Err(format!("no verb: {verb}")),
        }))
    }

    /// Puts nothing in the place of its own channel, which is the parent's.
    fn leave_channel(&self) {
        // SAFETY: the calls take numbers and a C string; nobody uses the channel in this process any more.
        unsafe {
            let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
            libc::dup2(null, self.input.get_ref().as_raw_fd());
            libc::close(null);
        }
    }

    /// A process with all the descriptors of this one. It serves another channel.
    fn fork(&self, channel: RawFd) -> Result<Next, String> {
        // SAFETY: the process has one thread.
        match unsafe { libc::fork() } {
            0 => {
                // SAFETY: the call takes numbers. What outlives its maker would keep descriptors open that a cell is about.
                unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
                self.leave_channel();
                Ok(Next::Became(Server::new(channel)))
            }
            pid => Ok(Next::Answer(Answer::of(pid.into()))),
        }
    }
}

fn number(words: &[&str], index: usize) -> Result<i32, String> {
    let word = words.get(index).ok_or("a word is missing")?;
    word.parse().map_err(|_| format!("no number: {word}"))
}

/// A program's arguments, in hexadecimal.
fn arguments(words: &[&str]) -> Result<Vec<CString>, String> {
    words
        .iter()
        .map(|word| CString::new(memory::from_hex(word)?).map_err(|_| format!("a zero in {word}")))
        .collect()
}

/// Another program in this process, which is not looked for in the path. The words are its arguments.
fn exec(words: &[&str]) -> Result<Answer, String> {
    let arguments = arguments(words)?;
    let mut pointers: Vec<_> = arguments.iter().map(|argument| argument.as_ptr()).collect();
    let program = *pointers.first().ok_or("no program")?;
    pointers.push(std::ptr::null());
    // SAFETY: all are pointers to C strings, which end with a null.
    unsafe { libc::execv(program, pointers.as_ptr()) };
    Ok(Answer::failed())
}

/// A program in a process of its own, which ends with this one. Its standard input never ends, and nobody reads its output.
fn spawn(words: &[&str]) -> Result<Answer, String> {
    let arguments = arguments(words)?;
    // SAFETY: the process has one thread. In the child the calls take numbers and C strings, and its memory is its own.
    unsafe {
        match libc::fork() {
            0 => {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                let mut ends = [0; 2];
                libc::pipe(ends.as_mut_ptr());
                libc::dup2(ends[0], libc::STDIN_FILENO);
                libc::dup2(libc::open(c"/dev/null".as_ptr(), libc::O_RDWR), libc::STDOUT_FILENO);
                let mut pointers: Vec<_> =
                    arguments.iter().map(|argument| argument.as_ptr()).collect();
                pointers.push(std::ptr::null());
                libc::execv(pointers[0], pointers.as_ptr());
                libc::_exit(127)
            }
            -1 => Ok(Answer::failed()),
            pid => Ok(Answer::of(pid.into())),
        }
    }
}

/// `send NAME FD`: hands a descriptor to whoever has bound that abstract name.
fn send(words: &[&str]) -> Result<Answer, String> {
    let name = memory::from_hex(words.first().ok_or("no name")?)?;
    let fd = number(words, 1)?;
    // SAFETY: all of it is plain numbers, for which zero is a value.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    // The first byte stays zero: an abstract name.
    for (place, byte) in address.sun_path[1..].iter_mut().zip(&name) {
        *place = *byte as libc::c_char;
    }
    let mut byte = [0_u8; 1];
    let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    let mut control = [0_u64; 8];
    // SAFETY: as above.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_name = (&raw mut address).cast();
    message.msg_namelen = (2 + 1 + name.len()) as u32;
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    // SAFETY: the call computes with a number.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(4) } as _;
    // SAFETY: the control buffer has room for one header and a number, and is aligned for it.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(4) as _;
        libc::CMSG_DATA(header).cast::<i32>().write_unaligned(fd);
    }
    // SAFETY: the calls take numbers, and a message whose pointers are to what lives in this function.
    unsafe {
        let socket = libc::socket(libc::AF_UNIX, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        let sent = libc::sendmsg(socket, &raw const message, 0);
        let answer = if sent < 0 { Answer::failed() } else { Answer::of(0) };
        libc::close(socket);
        Ok(answer)
    }
}

extern "C" fn nothing(_signal: libc::c_int) {}

/// What a signal does from now on: it interrupts what waits (EINTR) and nothing else, is ignored, or does what it does by itself.
fn dispose(signal: libc::c_int, disposition: libc::sighandler_t) -> Answer {
    // SAFETY: all of it is plain numbers; the handler does nothing, which is safe at any moment.
    let status = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = disposition;
        libc::sigaction(signal, &raw const action, std::ptr::null_mut())
    };
    if status < 0 {
        Answer::failed()
    } else {
        Answer::of(0)
    }
}
