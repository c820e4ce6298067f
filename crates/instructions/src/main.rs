//! The core's hot path on the real kernel: `instructions WORK BATCH OPERATIONS`, to be run by callgrind.
//!
//! Each batch is submitted, flushed and completed. Two runs that differ by N operations differ by their
//! instructions alone: what starts and ends the program is in both.

use std::error::Error;
use std::fs::File;
use std::io::{PipeReader, PipeWriter, Write};
use std::os::fd::AsRawFd;
use uring_safe_cancel::operation::{Nop, Read, CURRENT_POSITION};
use uring_safe_cancel::{Descriptor, Extra, Key, Operation, Options, RealKernel, Ring, Verdict};

/// Bytes of each read: the benchmark's.
const BLOCK: usize = 4096;

/// What a batch is made of.
enum Work {
    Nop,
    /// Of a file in the page cache: this program's own.
    Read(File),
    /// Of a byte each, from a pipe in which they are before the batch begins.
    Pipe(PipeReader, PipeWriter),
    /// Of a pipe to which nobody writes.
    Cancel(PipeReader),
}

type CountedRing = Ring<RealKernel, u32>;

impl Work {
    fn operation(&self, ring: &CountedRing) -> Result<Operation, Box<dyn Error>> {
        let (descriptor, length, offset) = match self {
            Self::Nop => return Ok(Nop.into()),
            Self::Read(file) => (file.as_raw_fd(), BLOCK, 0),
            Self::Pipe(pipe, _) => (pipe.as_raw_fd(), 1, CURRENT_POSITION),
            Self::Cancel(pipe) => (pipe.as_raw_fd(), 8, CURRENT_POSITION),
        };
        let memory = ring.arena().allocate(length)?;
        Ok(Read { descriptor: Descriptor::Borrowed(descriptor), memory, offset }.into())
    }

    fn expected(&self) -> Verdict {
        match self {
            Self::Nop => Verdict::Completed(0),
            Self::Read(_) => Verdict::Completed(BLOCK as i32),
            Self::Pipe(..) => Verdict::Completed(1),
            Self::Cancel(_) => Verdict::Cancelled,
        }
    }
}

fn run(work: &Work, batch: u32, operations: u32) -> Result<(), Box<dyn Error>> {
    let options = Options::default();
    let kernel = RealKernel::new(options.entries, options.completions)?;
    let completions = kernel.completions();
    let mut ring = CountedRing::new(kernel, completions, options);
    let mut keys: Vec<Key> = Vec::with_capacity(batch as usize);
    let expected = work.expected();
    let mut wrong = 0;
    for _ in 0..operations / batch {
        keys.clear();
        if let Work::Pipe(_, writer) = work {
            (&*writer).write_all(&[0; 64][..batch as usize])?;
        }
        for client in 0..batch {
            let operation = work.operation(&ring)?;
            let submitted = ring.submit(operation, Extra::default(), client);
            keys.push(submitted.map_err(|refused| format!("{:?}", refused.refusal))?);
        }
        if matches!(work, Work::Cancel(_)) {
            for &key in &keys {
                ring.cancel(key);
            }
        }
        while ring.pending() > 0 {
            ring.flush_and_wait(&mut |completion| {
                wrong += u32::from(completion.verdict != expected);
            });
        }
    }
    if wrong > 0 {
        return Err(format!("{wrong} operations did not end as {expected:?}").into());
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [work, batch, operations] = &arguments[..] else {
        return Err("usage: instructions nop|read|pipe|cancel BATCH OPERATIONS".into());
    };
    let (_writer, work) = match work.as_str() {
        "nop" => (None, Work::Nop),
        "read" => (None, Work::Read(File::open(std::env::current_exe()?)?)),
        "pipe" => {
            let (reader, writer) = std::io::pipe()?;
            (None, Work::Pipe(reader, writer))
        }
        "cancel" => {
            let (reader, writer) = std::io::pipe()?;
            (Some(writer), Work::Cancel(reader))
        }
        _ => return Err(format!("no such work: {work}").into()),
    };
    run(&work, batch.parse()?, operations.parse()?)
}
