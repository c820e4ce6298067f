//! Each operation once, and its errors.

use crate::help::*;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use uring_safe_cancel::tokio::{Error, File};

fn errno(error: &Error) -> Option<i32> {
    match error {
        Error::Io(error) => error.raw_os_error(),
        _ => None,
    }
}

#[test]
fn bytes_come_back_as_they_were_written() {
    run(async {
        let ring = ring();
        let path = path("bytes");
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC;
        let file = File::from(ring.open(&path, flags, 0o600).await.unwrap());
        std::fs::remove_file(&path).unwrap();
        assert_eq!(ring.write(&file, ring.alloc_from(b"0123").unwrap()).await.0.unwrap(), 4);
        assert_eq!(ring.write(&file, ring.alloc_from(b"4567").unwrap()).await.0.unwrap(), 4);
        let parts = vec![ring.alloc_from(b"ab").unwrap(), ring.alloc_from(b"cd").unwrap()];
        assert_eq!(ring.writev(&file, parts, Some(2)).await.0.unwrap(), 4);
        ring.fsync(&file).await.unwrap();
        ring.fdatasync(&file).await.unwrap();
        let (read, mut buffer) = ring.read_at(&file, ring.alloc(64).unwrap(), 0).await;
        assert_eq!(&buffer[..read.unwrap()], b"01abcd67");
        buffer.narrow(3..5);
        let (read, mut buffer) = ring.read_at(&file, buffer, 2).await;
        assert_eq!((read.unwrap(), &*buffer), (2, &b"ab"[..]));
        buffer.widen();
        assert_eq!(&buffer[..8], b"01aabd67", "only the narrowed part was read into");
        let parts = vec![ring.alloc(3).unwrap(), ring.alloc(64).unwrap()];
        let (read, parts) = ring.readv(&file, parts, Some(1)).await;
        assert_eq!((read.unwrap(), &*parts[0], &parts[1][..4]), (7, &b"1ab"[..], &b"cd67"[..]));
        let number = Number::of(&file);
        ring.close_fd(file.try_into_owned().unwrap()).await.unwrap();
        assert!(!number.is_open());
    });
}

#[test]
fn sleep_and_poll_wait_as_long_as_they_should() {
    run(async {
        let ring = ring();
        let begun = Instant::now();
        ring.sleep(Duration::from_millis(20)).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(20));
        let event = eventfd();
        let poll = ring.poll(&event, libc::POLLIN as u32);
        assert_eq!(ring.poll(&event, libc::POLLOUT as u32).await.unwrap(), libc::POLLOUT as u32);
        add(&event, 1);
        assert_eq!(poll.await.unwrap(), libc::POLLIN as u32);
    });
}

#[test]
fn errors_are_the_kernels_and_give_the_buffer_back() {
    run(async {
        let ring = ring();
        let (reader, writer) = std::io::pipe().unwrap();
        let (result, buffer) = ring.read(&File::from(writer), ring.alloc(10).unwrap()).await;
        assert_eq!(errno(&result.unwrap_err()), Some(libc::EBADF));
        assert_eq!(buffer.len(), 10);
        let (result, buffer) = ring.write(&File::from(reader), buffer).await;
        assert_eq!(errno(&result.unwrap_err()), Some(libc::EBADF));
        let missing = ring.open("/no/such/file", libc::O_RDONLY, 0).await.unwrap_err();
        assert_eq!(errno(&missing), Some(libc::ENOENT));
        let event = eventfd();
        let (result, buffer) = ring.read(&event, buffer).cancel().await;
        assert!(matches!(result, Err(Error::Cancelled)));
        assert_eq!(buffer.len(), 10);
    });
}

#[test]
fn bad_arguments_are_errors_and_nothing_reaches_the_kernel() {
    run(async {
        let ring = ring();
        let zero = File::from(std::fs::File::open("/dev/zero").unwrap());
        for at in [u64::MAX, 1 << 63] {
            let (result, buffer) = ring.read_at(&zero, ring.alloc(1).unwrap(), at).await;
            assert_eq!(errno(&result.unwrap_err()), Some(libc::EINVAL), "not the current position");
            let (result, buffer) = ring.write_at(&zero, buffer, at).await;
            assert_eq!(errno(&result.unwrap_err()), Some(libc::EINVAL));
            let (result, _) = ring.readv(&zero, vec![buffer], Some(at)).await;
            assert_eq!(errno(&result.unwrap_err()), Some(libc::EINVAL));
        }
        let nul = ring.open("a\0b", libc::O_RDONLY, 0).await.unwrap_err();
        assert!(
            matches!(nul, Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidInput)
        );
        let many = (0..1025).map(|_| ring.alloc(1).unwrap()).collect();
        let (result, many) = ring.readv(&zero, many, None).await;
        assert!(result.unwrap_err().to_string().contains("1025 buffers, and 1024 is the limit"));
        assert_eq!(many.len(), 1025);
        assert_eq!(ring.stats().submitted, 0);
    });
}

#[test]
fn allocated_memory_is_zero_also_the_second_time() {
    run(async {
        let ring = ring();
        for length in [1, 5000, 1 << 20] {
            for _ in 0..3 {
                let mut buffer = ring.alloc(length).unwrap();
                assert!(buffer.iter().all(|&byte| byte == 0));
                buffer.fill(0xAA);
            }
        }
    });
}

#[test]
fn empty_buffers_read_and_write_nothing() {
    run(async {
        let ring = ring();
        let zero = File::from(std::fs::File::open("/dev/zero").unwrap());
        assert_eq!(ring.read(&zero, ring.alloc(0).unwrap()).await.0.unwrap(), 0);
        assert_eq!(ring.readv(&zero, Vec::new(), None).await.0.unwrap(), 0);
        let mut buffer = ring.alloc(4).unwrap();
        buffer.narrow(3..3);
        assert_eq!(ring.read(&zero, buffer).await.0.unwrap(), 0);
        let mut clipped = ring.alloc(4).unwrap();
        clipped.narrow(2..usize::MAX);
        assert_eq!(clipped.len(), 2);
        clipped.narrow(usize::MAX - 1..usize::MAX);
        assert!(clipped.is_empty());
    });
}

#[test]
fn the_descriptor_is_held_until_the_operation_is_over() {
    run(async {
        let ring = ring();
        let (reader, writer) = std::io::pipe().unwrap();
        let number = Number::of(&reader);
        let read = ring.asynchronous().read(&File::from(reader), ring.alloc(8).unwrap());
        assert!(number.is_open(), "no file is left but the operation's");
        drop(std::fs::File::open("/dev/null").unwrap());
        std::io::Write::write_all(&mut { writer }, b"x").unwrap();
        assert_eq!(read.await.0.unwrap(), 1);
        assert!(!number.is_open(), "closed with the operation");
        let owned = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        assert!(File::from(owned).try_into_owned().is_ok());
    });
}
