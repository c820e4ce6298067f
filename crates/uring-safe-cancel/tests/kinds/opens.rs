//! Opens that wait for the peer of a FIFO.

use crate::*;
use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use uring_safe_cancel::tokio::Error;

/// How many may wait at once on a thread.
const MANY: usize = 256;

/// A FIFO without a peer that goes with the test.
struct Fifo(PathBuf);

impl Fifo {
    fn new(name: &str) -> Self {
        let name = format!("uring-safe-cancel-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let text = CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: the pointer is to a C string that outlives the call.
        assert_eq!(unsafe { libc::mkfifo(text.as_ptr(), 0o600) }, 0);
        Self(path)
    }

    /// Is the peer of everybody who waits for one.
    fn meet(&self) {
        drop(fs::OpenOptions::new().read(true).write(true).open(&self.0).unwrap());
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn clause_2_live_opens_that_wait_keep_nothing_else_waiting_and_one_too_many_is_refused() {
    run(async {
        let ring = ring();
        let other = crate::ring();
        let fifo = Fifo::new("opens");
        let mut opens: Vec<_> = (0..MANY).map(|_| ring.open(&fifo.0, libc::O_RDONLY, 0)).collect();
        ring.nop().await.unwrap();
        ::tokio::time::sleep(Duration::from_millis(200)).await;
        let path = std::env::current_exe().unwrap();
        let at_once = async {
            for ring in [&ring, &other] {
                let opened = ring.open(&path, libc::O_RDONLY, 0).await.unwrap();
                let file = uring_safe_cancel::tokio::File::from(opened);
                ring.fsync(&file).await.unwrap();
                ring.close_fd(file.try_into_owned().unwrap()).await.unwrap();
            }
        };
        let waited = ::tokio::time::timeout(PATIENCE / 4, at_once).await.is_err();
        assert!(!waited, "it waits for the opens");
        let refused = other.open(&fifo.0, libc::O_RDONLY, 0).await;
        let words = refused.unwrap_err().to_string();
        assert!(words.contains("256 opens"), "{words}");
        assert_eq!(ring.stats().in_flight, MANY as u32);
        for open in opens.drain(MANY / 2..) {
            let result = open.cancel().await;
            assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
        }
        fifo.meet();
        for open in opens {
            open.await.unwrap();
        }
    });
}
