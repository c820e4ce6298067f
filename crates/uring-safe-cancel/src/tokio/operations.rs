//! What a ring can do, one small file each.

mod close;
mod nop;
mod open;
mod poll;
mod read;
mod sleep;
mod sync;
mod vectored;
mod write;

use super::error::{Error, Result};
use crate::operation::CURRENT_POSITION;

/// The kernel's form of an offset. Those beyond its signed type would mean something else there: the
/// highest is the current position.
fn offset(at: Option<u64>) -> Result<u64> {
    match at {
        None => Ok(CURRENT_POSITION),
        Some(at) if i64::try_from(at).is_ok() => Ok(at),
        Some(_) => Err(Error::Io(std::io::Error::from_raw_os_error(libc::EINVAL))),
    }
}
