//! A line that says how far the run is, on terminals only.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What the threads tell while they run.
#[derive(Debug, Default)]
pub struct Progress {
    rounds: AtomicU64,
    lost: AtomicU64,
}

impl Progress {
    /// A round is over.
    pub fn round(&self) {
        self.rounds.fetch_add(1, Ordering::Relaxed);
    }

    /// A read was lost.
    pub fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether any was.
    pub fn has_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed) > 0
    }

    /// Writes the line over the last one.
    pub fn show(&self, title: &str, time: Duration) {
        if std::io::stderr().is_terminal() {
            let rounds = self.rounds.load(Ordering::Relaxed);
            let lost = self.lost.load(Ordering::Relaxed);
            let seconds = time.as_secs_f64();
            eprint!("\r\x1b[K{title}: {seconds:.1} s, {rounds} rounds, {lost} lost");
            let _ = std::io::stderr().flush();
        }
    }

    /// Removes the line.
    pub fn clear(&self) {
        if std::io::stderr().is_terminal() {
            eprint!("\r\x1b[K");
        }
    }
}
