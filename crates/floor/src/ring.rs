//! The floor's ring, set up as the library sets up its own.

use io_uring::IoUring;
use std::io;

/// As the library's defaults.
const ENTRIES: u32 = 1024;
const COMPLETIONS: u32 = 4096;

/// A ring with the flags that the library asks for, or with none where the kernel knows too few.
pub fn set_up() -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder
        .dontfork()
        .setup_cqsize(COMPLETIONS)
        .setup_single_issuer()
        .setup_coop_taskrun()
        .setup_taskrun_flag()
        .setup_submit_all();
    builder.build(ENTRIES).or_else(|error| {
        if error.raw_os_error() != Some(libc::EINVAL) {
            return Err(error);
        }
        IoUring::builder().dontfork().setup_cqsize(COMPLETIONS).build(ENTRIES)
    })
}
