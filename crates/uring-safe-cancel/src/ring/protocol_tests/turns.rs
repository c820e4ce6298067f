//! Who runs one at a time, and where positions are.

use super::*;

fn in_turn(kind: FileKind, numbers: &[RawFd]) -> (FakeRing, Fake) {
    let (ring, fake) = ring();
    fake.script(|s| {
        s.ways.insert(kind, Way::InTurn);
        numbers.iter().for_each(|&number| {
            s.kinds.insert(number, kind);
        });
    });
    (ring, fake)
}

#[test]
fn clause_2_live_workers_that_spin_get_one_reader_and_one_writer_of_a_number() {
    let ((one, _w), (other, _x)) = (pipe(), pipe());
    let numbers = [one.as_raw_fd(), other.as_raw_fd()];
    let (mut ring, fake) = in_turn(FileKind::Device, &numbers);
    let first = read(&mut ring, numbers[0], 0);
    let second = read(&mut ring, numbers[0], 1);
    let operation = Poll { descriptor: Descriptor::Borrowed(numbers[0]), events: 1 };
    let third = submit(&mut ring, operation, 2);
    let writer = write(&mut ring, numbers[0], 3);
    let elsewhere = read(&mut ring, numbers[1], 4);
    settle(&mut ring);
    assert_eq!(fake.held(), [first, writer, elsewhere]);
    assert_eq!(fake.submissions(first), [true], "a worker's");
    // Interrupted, or with nothing there, it goes on to be the one.
    for result in [-libc::EINTR, -libc::EAGAIN] {
        assert_eq!(completes(&mut ring, &fake, first, result), []);
        assert_eq!(fake.held(), [first, writer, elsewhere]);
    }
    completes(&mut ring, &fake, first, 1);
    assert_eq!(completes(&mut ring, &fake, first, 8), [(0, Verdict::Completed(8))]);
    assert_eq!(fake.held(), [second, writer, elsewhere]);
    // Who is cancelled while he runs makes room when he ends, and not before.
    ring.cancel(second);
    settle(&mut ring);
    assert_eq!(fake.submissions(third).len(), 0);
    completes(&mut ring, &fake, second, -libc::ECANCELED);
    assert_eq!(fake.held(), [third, writer, elsewhere]);
}

#[test]
fn clause_2_live_reads_and_writes_of_a_file_with_a_position_share_one_turn() {
    let file = in_memory(100);
    let number = file.as_raw_fd();
    let (mut ring, fake) = in_turn(FileKind::Fuse, &[number]);
    let first = read(&mut ring, number, 0);
    let operation = write_of(&ring, number, 8, 50);
    let second = submit(&mut ring, operation, 1);
    settle(&mut ring);
    assert_eq!(fake.held(), [first]);
    completes(&mut ring, &fake, first, 8);
    assert_eq!(fake.held(), [second]);
    assert_eq!(offset(fake.works(second)[0]), 50);
}

#[test]
fn clause_4_nothing_lost_positions_are_the_sum_of_what_came() {
    let mut file = in_memory(1000);
    let number = file.as_raw_fd();
    let (mut ring, fake) = ring();
    let mut sum = 0;
    // All of it, a part, an error, nothing at the end; an attempt that is repeated keeps its place.
    for (results, moved) in [
        (&[8][..], 8),
        (&[3], 3),
        (&[-libc::EIO], 0),
        (&[0], 0),
        (&[-libc::EINTR, 5], 5),
        (&[-libc::EINTR, -libc::EIO], 0),
    ] {
        for is_write in [false, true] {
            let key = match is_write {
                true => write(&mut ring, number, 0),
                false => read(&mut ring, number, 0),
            };
            settle(&mut ring);
            assert_eq!(file.stream_position().unwrap(), sum + 8, "nobody else gets these bytes");
            for &result in results {
                completes(&mut ring, &fake, key, result);
            }
            let offsets = fake.works(key).into_iter().map(offset);
            assert_eq!(offsets.collect::<Vec<_>>(), vec![sum; results.len()]);
            sum += moved;
            assert_eq!(file.stream_position().unwrap(), sum, "{results:?}");
        }
    }
}

#[test]
fn clause_4_nothing_lost_a_turn_that_is_cancelled_or_given_up_gives_its_place_back() {
    let mut file = in_memory(1000);
    file.seek(SeekFrom::Start(100)).unwrap();
    let number = file.as_raw_fd();
    let (mut ring, fake) = ring();
    let keys: Vec<Key> = (0..3).map(|client| read(&mut ring, number, client)).collect();
    settle(&mut ring);
    assert_eq!(file.stream_position().unwrap(), 108);
    ring.cancel(keys[1]);
    settle(&mut ring);
    assert_eq!(file.stream_position().unwrap(), 108, "it had no place yet");
    ring.cancel(keys[0]);
    completes(&mut ring, &fake, keys[0], -libc::ECANCELED);
    assert_eq!(
        offset(fake.works(keys[2])[0]),
        100,
        "the place was given back before the next turn"
    );
    assert_eq!(file.stream_position().unwrap(), 108);
    ring.abandon();
    assert_eq!(settle(&mut ring), [(2, Verdict::Stuck)]);
    assert_eq!(file.stream_position().unwrap(), 100);
}

#[test]
fn clause_4_nothing_lost_what_is_appended_and_what_is_made_up_moves_afterwards() {
    let mut file = in_memory(1000);
    let number = file.as_raw_fd();
    let made_up = FileKind::Pseudo { has_content: false };
    let (mut ring, fake) = ring();
    fake.script(|s| s.kinds.insert(number, made_up));
    let key = read(&mut ring, number, 0);
    settle(&mut ring);
    assert_eq!((offset(fake.works(key)[0]), file.stream_position().unwrap()), (0, 0));
    completes(&mut ring, &fake, key, 5);
    assert_eq!(file.stream_position().unwrap(), 5);

    set_flags(number, libc::O_APPEND);
    for (kind, after) in [(FileKind::Local, 1000), (FileKind::Block, 1000), (made_up, 5)] {
        let (mut ring, fake) = super::super::fake_tests::ring();
        fake.script(|s| s.kinds.insert(number, kind));
        file.seek(SeekFrom::Start(5)).unwrap();
        let failing = write(&mut ring, number, 0);
        settle(&mut ring);
        completes(&mut ring, &fake, failing, -libc::ENOSPC);
        assert_eq!(file.stream_position().unwrap(), 5, "{kind:?}: nothing came");
        let key = write(&mut ring, number, 0);
        settle(&mut ring);
        assert_eq!(offset(fake.works(key)[0]), CURRENT_POSITION, "{kind:?}");
        completes(&mut ring, &fake, key, 8);
        assert_eq!(file.stream_position().unwrap(), after, "{kind:?}: at the end, or the kernel's");
        // A read of such a file is not appended.
        let key = read(&mut ring, number, 0);
        settle(&mut ring);
        assert_eq!(offset(fake.works(key)[0]), after, "{kind:?}");
        completes(&mut ring, &fake, key, 0);
    }
}
