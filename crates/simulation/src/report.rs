//! A failing seed is printed, with the command that replays it: from the panic hook, because release builds
//! abort, and from a signal handler, because what the simulation looks for may end in a segmentation fault.

use std::cell::Cell;
use std::sync::Once;

thread_local! {
    /// The seed of the history that this thread runs.
    static SEED: Cell<Option<u64>> = const { Cell::new(None) };
    /// Whether failures are expected, and not to be printed.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// The command that replays a seed.
pub fn command(seed: u64) -> String {
    format!("cargo run --release -p uring-safe-cancel-simulation -- --seed {seed} --trace")
}

/// This thread expects failures from now on, or does not.
pub fn expect_failures(expected: bool) {
    QUIET.set(expected);
}

/// A history begins on this thread.
pub(crate) fn begin(seed: u64) {
    install();
    SEED.set(Some(seed));
}

/// The history is over.
pub(crate) fn end() {
    SEED.set(None);
}

fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if QUIET.get() {
                return;
            }
            previous(panic);
            if let Some(seed) = SEED.get() {
                eprintln!("seed {seed} failed. To replay it:\n  {}", command(seed));
            }
        }));
        for signal in [libc::SIGSEGV, libc::SIGBUS] {
            // SAFETY: the handler only writes to stderr and restores the default action, both of
            // which a signal handler may do; the struct is one of this frame.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = on_fault as *const () as usize;
                action.sa_flags = libc::SA_RESETHAND | libc::SA_NODEFER | libc::SA_ONSTACK;
                libc::sigaction(signal, &action, std::ptr::null_mut());
            }
        }
    });
}

/// Memory was touched that is not there. Returning repeats the access, which then ends the process.
extern "C" fn on_fault(_: libc::c_int) {
    let mut text = *b"memory fault in the history of seed ....................\n";
    let digits = &mut text[36..56];
    digits.fill(b' ');
    let mut seed = SEED.get().unwrap_or(0);
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (seed % 10) as u8;
        seed /= 10;
        if seed == 0 {
            break;
        }
    }
    // SAFETY: the pointer is to bytes of this frame.
    unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
}
