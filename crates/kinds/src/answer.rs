//! What came of a call.

use std::fmt;
use std::io;

/// The result, the errno if there was one, and what the call wrote into memory, a word each.
pub struct Answer {
    pub result: i64,
    pub errno: i32,
    pub outs: Vec<String>,
}

impl Answer {
    pub fn of(result: i64) -> Self {
        Self { result, errno: 0, outs: Vec::new() }
    }

    /// That of a call that has just failed: errno is still its.
    pub fn failed() -> Self {
        let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
        Self { result: -1, errno, outs: Vec::new() }
    }

    pub fn with(mut self, outs: Vec<String>) -> Self {
        self.outs = outs;
        self
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.result, self.errno)?;
        self.outs.iter().try_for_each(|out| write!(formatter, " {out}"))
    }
}
