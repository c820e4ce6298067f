//! How often the ring asks what a number leads to.

use super::*;

#[test]
fn each_number_is_looked_at_once_a_flush() {
    let (mut ring, fake) = ring();
    let (reader, writer) = pipe();
    let numbers = [reader.as_raw_fd(), writer.as_raw_fd()];
    for round in 1..4 {
        for client in 0..4 {
            read(&mut ring, numbers[0], client);
            write(&mut ring, numbers[1], client);
        }
        let mut looked = fake.script(|s| std::mem::take(&mut s.looked));
        looked.sort_unstable();
        assert_eq!(looked, numbers, "flush {round}");
        fake.script(|s| s.instant = Some(1));
        settle(&mut ring);
        fake.script(|s| s.looked.clear());
    }
}

#[test]
fn a_file_that_operations_hold_is_looked_at_once() {
    let (mut ring, fake) = ring();
    let (reader, _writer) = pipe();
    let Descriptor::Held(file) = Descriptor::from(std::os::fd::OwnedFd::from(reader)) else {
        unreachable!("it was given away")
    };
    for client in 0..5 {
        let memory = ring.arena().allocate(8).unwrap();
        let descriptor = Descriptor::from(std::sync::Arc::clone(&file));
        submit(&mut ring, Read { descriptor, memory, offset: CURRENT_POSITION }, client);
        settle(&mut ring);
    }
    assert_eq!(fake.script(|s| s.looked.clone()), [file.as_raw_fd()]);
}

#[test]
fn what_the_ring_opened_is_looked_at_once_until_the_ring_closes_it() {
    // On a full ring a close is done at once.
    for is_full in [false, true] {
        let (mut ring, fake) = ring();
        fake.script(|s| s.instant = Some(0));
        let (reader, writer) = pipe();
        // A number that no other test gets meanwhile.
        // SAFETY: the call takes integers; the new descriptor is this test's.
        let number = unsafe { libc::fcntl(reader.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 700) };
        ring.remember(number);
        for client in 0..3 {
            read(&mut ring, number, client);
            settle(&mut ring);
        }
        let looks = |fake: &Fake| fake.script(|s| std::mem::take(&mut s.looked));
        assert_eq!(looks(&fake), [number]);
        if is_full {
            fake.script(|s| s.instant = None);
            (0..IN_FLIGHT).for_each(|client| {
                write(&mut ring, writer.as_raw_fd(), client);
            });
            settle(&mut ring);
        }
        submit(&mut ring, Close::new(number), 9);
        settle(&mut ring);
        looks(&fake);
        // Another file has the number now: nobody may take it for what it was.
        // SAFETY: as above.
        assert_eq!(unsafe { libc::dup2(writer.as_raw_fd(), number) }, number);
        fake.script(|s| s.kinds.insert(number, FileKind::Directory));
        read(&mut ring, number, 10);
        assert_eq!(looks(&fake), [number], "full: {is_full}");
        ring.abandon();
        settle(&mut ring);
        // SAFETY: as above.
        unsafe { libc::close(number) };
    }
}

#[test]
fn a_regular_file_is_looked_at_once_for_operations_that_name_a_position() {
    let (mut ring, fake) = ring();
    let file = in_memory(100);
    let number = file.as_raw_fd();
    for client in 0..4 {
        let operation = read_of(&ring, number, 8, 0);
        submit(&mut ring, operation, client);
        settle(&mut ring);
    }
    assert_eq!(fake.script(|s| s.looked.clone()), [number]);
    read(&mut ring, number, 4);
    assert_eq!(fake.script(|s| s.looked.clone()), [number; 2], "at its position it is looked at");
}
