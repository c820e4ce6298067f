//! The works, each as the benchmark's JavaScript does it.

mod cancel;
mod nop;
mod ping_pong;
mod read;
mod write;

pub use cancel::Cancel;
pub use nop::Nop;
pub use ping_pong::PingPong;
pub use read::Read;
pub use write::Write;

use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;

/// The files are of blocks; the first four bytes of each are its number.
pub const BLOCK: u32 = 4096;

/// Opens the file at the work's `path`.
fn open(work: &Value, write: bool, flags: i32) -> io::Result<File> {
    let path = work["path"].as_str().ok_or_else(|| io::Error::other("the work has no path"))?;
    OpenOptions::new().read(true).write(write).custom_flags(flags).open(path)
}
