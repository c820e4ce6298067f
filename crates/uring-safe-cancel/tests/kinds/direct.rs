//! The position of files with O_DIRECT, which the kernel does not move.

use crate::*;
use std::fs;
use std::io::Seek;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use uring_safe_cancel::tokio::File;

const BLOCK: usize = 4096;
const MANY: usize = 64;

/// A file of so many blocks, each of one letter, that goes with the test.
struct Blocks(PathBuf);

impl Blocks {
    fn new(name: &str) -> Self {
        let name = format!("uring-safe-cancel-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let content: Vec<u8> = (0..MANY).flat_map(|block| [letter(block); BLOCK]).collect();
        fs::write(&path, content).unwrap();
        fs::File::open(&path).unwrap().sync_all().unwrap();
        Self(path)
    }

    /// The file, and a second descriptor of the same open file, which shares its position.
    fn open(&self) -> (File, fs::File) {
        let mut options = fs::OpenOptions::new();
        let file = options.read(true).write(true).custom_flags(libc::O_DIRECT).open(&self.0);
        let file = File::from(file.expect("a temporary directory with O_DIRECT"));
        let shared = file.as_fd().try_clone_to_owned().unwrap();
        (file, shared.into())
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn letter(block: usize) -> u8 {
    b'0' + block as u8
}

#[test]
fn clause_4_nothing_lost_direct_reads_get_one_block_after_the_other() {
    run(async {
        let ring = ring();
        let blocks = Blocks::new("direct-reads");
        let (file, mut shared) = blocks.open();
        for block in 0..MANY {
            let (result, buffer) = ring.read(&file, ring.alloc(BLOCK).unwrap()).await;
            assert_eq!((result.unwrap(), buffer[0]), (BLOCK, letter(block)));
            assert_eq!(shared.stream_position().unwrap(), ((block + 1) * BLOCK) as u64);
        }
        for _ in 0..2 {
            let (result, _) = ring.read(&file, ring.alloc(BLOCK).unwrap()).await;
            assert_eq!(result.unwrap(), 0);
        }
        assert_eq!(shared.stream_position().unwrap(), (MANY * BLOCK) as u64);
    });
}

#[test]
fn clause_4_nothing_lost_many_direct_reads_at_once_get_every_block_once() {
    run(async {
        let ring = ring();
        let blocks = Blocks::new("direct-reads-at-once");
        let (file, mut shared) = blocks.open();
        let mut reads = Vec::new();
        for _ in 0..MANY {
            reads.push(ring.read(&file, ring.alloc(BLOCK).unwrap()));
        }
        // Every third is cancelled, and gives its place up, unless it was quicker.
        for read in reads.iter().skip(1).step_by(3) {
            read.request_cancel();
        }
        let mut got = Vec::new();
        for read in reads {
            let (result, buffer) = read.await;
            if let Ok(length) = result {
                assert_eq!(length, BLOCK);
                got.push(buffer[0]);
            }
        }
        println!("{} reads were cancelled", MANY - got.len());
        assert!(got.len() < MANY, "none was cancelled: the test proved nothing");
        assert_eq!(got, (0..got.len()).map(letter).collect::<Vec<_>>());
        assert_eq!(shared.stream_position().unwrap(), (got.len() * BLOCK) as u64);
    });
}

#[test]
fn clause_4_nothing_lost_direct_writes_lie_one_behind_the_other() {
    run(async {
        let ring = ring();
        let blocks = Blocks::new("direct-writes");
        let (file, mut shared) = blocks.open();
        let mut writes = Vec::new();
        for letter in b'a'..=b'h' {
            let mut buffer = ring.alloc(BLOCK).unwrap();
            buffer.fill(letter);
            writes.push(ring.write(&file, buffer));
        }
        for write in writes {
            assert_eq!(write.await.0.unwrap(), BLOCK);
        }
        assert_eq!(shared.stream_position().unwrap(), (8 * BLOCK) as u64);
        let content = fs::read(&blocks.0).unwrap();
        let letters: Vec<u8> = content.iter().copied().step_by(BLOCK).take(9).collect();
        assert_eq!(letters, b"abcdefgh8");
    });
}
