//! Writes until nothing more fits, and reads until nothing is left: without waiting, whatever the descriptor's flags say.

use crate::answer::Answer;
use crate::memory::{describe, pattern};

/// O_NONBLOCK, until this goes. The operation that a test is about is over by then, or not begun.
struct WithoutWaiting {
    fd: i32,
    flags: i32,
}

impl WithoutWaiting {
    fn new(fd: i32) -> Option<Self> {
        // SAFETY: the calls take numbers.
        let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
        // SAFETY: as above.
        let status = unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) };
        (flags >= 0 && status == 0).then_some(Self { fd, flags })
    }
}

impl Drop for WithoutWaiting {
    fn drop(&mut self) {
        // SAFETY: the call takes numbers.
        unsafe { libc::fcntl(self.fd, libc::F_SETFL, self.flags) };
    }
}

/// Writes pieces, in the end of one byte, until there is no room for one. Answers how many bytes went.
pub fn fill(fd: i32, piece: usize) -> Answer {
    let Some(_guard) = WithoutWaiting::new(fd) else { return Answer::failed() };
    let bytes = pattern(7, piece);
    let mut length = piece;
    let mut total = 0;
    while length > 0 {
        // SAFETY: the buffer has at least this length.
        match unsafe { libc::write(fd, bytes.as_ptr().cast(), length) } {
            -1 => length /= 2,
            written => total += written as i64,
        }
    }
    Answer::of(total)
}

/// Reads until nothing is left, or so many bytes have come. The errno says what ended it: EAGAIN, or 0 for the end of file or
/// for enough. Two words: of all bytes, and of each read by itself.
pub fn drain(fd: i32, piece: usize, enough: usize) -> Answer {
    let Some(_guard) = WithoutWaiting::new(fd) else { return Answer::failed() };
    let mut buffer = vec![0; piece];
    let mut all = Vec::new();
    let mut messages = Vec::new();
    let mut errno = 0;
    while all.len() < enough {
        // SAFETY: the buffer has this length.
        match unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), piece) } {
            -1 => {
                errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
                break;
            }
            0 => {
                messages.push("EOF".into());
                break;
            }
            read => {
                all.extend_from_slice(&buffer[..read as usize]);
                messages.push(describe(&buffer[..read as usize]));
            }
        }
    }
    let separate = if messages.is_empty() { "-".into() } else { messages.join("+") };
    let answer = Answer::of(all.len() as i64).with(vec![describe(&all), separate]);
    Answer { errno, ..answer }
}
