//! The other process of the echo: a blocking thread for each descriptor, the same for every variant.

use std::error::Error;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::FromRawFd;

/// Sends back what comes, until the other ends are closed.
pub fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let descriptors = arguments.iter().map(|one| one.parse()).collect::<Result<Vec<i32>, _>>()?;
    let threads: Vec<_> = descriptors
        .into_iter()
        .map(|descriptor| {
            std::thread::spawn(move || {
                // SAFETY: `floor pairs` left it to this process alone.
                let mut socket = unsafe { File::from_raw_fd(descriptor) };
                let mut bytes = [0; 64];
                // An error is the end as well: the benchmark's process is gone.
                while let Ok(count @ 1..) = socket.read(&mut bytes) {
                    if socket.write_all(&bytes[..count]).is_err() {
                        break;
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().map_err(|_| "an echoing thread panicked")?;
    }
    Ok(())
}
