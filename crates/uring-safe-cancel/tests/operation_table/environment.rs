//! What this machine has, and what it was said not to have.

use std::fs::File;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What `OPERATION_TABLE_WITHOUT` may name.
pub const FUSE: &str = "fuse";
/// A filesystem for [`std::env::temp_dir`] that lies on a disk, and takes O_DIRECT.
pub const DISK: &str = "disk";

/// Whether whoever runs this has said that the machine cannot have it. A row that is left out says so; without
/// this word what is not there is a failure.
pub fn lacks(what: &str) -> bool {
    let without = std::env::var("OPERATION_TABLE_WITHOUT").unwrap_or_default();
    let lacks = without.split(',').any(|word| word == what);
    if lacks {
        println!("row: left out; OPERATION_TABLE_WITHOUT names {what}");
    }
    lacks
}

/// The kernel's version and its next number: (6, 18).
pub fn release() -> (u32, u32) {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("/proc");
    let mut numbers = text.split(['.', '-']).map_while(|part| part.parse().ok());
    (numbers.next().expect("a version"), numbers.next().expect("a version"))
}

/// A descriptor that a call has just made.
#[track_caller]
pub fn owned(number: libc::c_int) -> OwnedFd {
    assert!(number >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: the kernel just made it for us, and nobody else knows it.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// A path that nobody has, on the disk.
pub fn path(name: &str) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("operation-table-{}-{count}-{name}", std::process::id()))
}

/// A file on the disk, filled with `length` bytes of [`pattern`], and open with more `flags`. It has no name.
pub fn file(length: usize, flags: i32) -> File {
    let path = path("file");
    std::fs::write(&path, pattern(0, length)).expect("room in the temporary directory");
    let file = std::fs::OpenOptions::new().read(true).write(true).custom_flags(flags).open(&path);
    std::fs::remove_file(&path).unwrap();
    let file = file.expect("a disk that takes O_DIRECT (or name it in OPERATION_TABLE_WITHOUT)");
    file.sync_all().unwrap();
    file
}

/// What a test file holds from `offset`: each eight bytes say where they are.
pub fn pattern(offset: usize, length: usize) -> Vec<u8> {
    assert!(offset.is_multiple_of(8) && length.is_multiple_of(8));
    let mut bytes = vec![0; length];
    for (index, word) in bytes.chunks_exact_mut(8).enumerate() {
        word.copy_from_slice(&((offset / 8 + index) as u64 + 1).to_ne_bytes());
    }
    bytes
}
