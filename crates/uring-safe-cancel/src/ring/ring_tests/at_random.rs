//! All clauses at once, at random.

use super::*;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) as usize % bound
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }
}

/// A client that does anything on a kernel that does anything, and what must come of it.
struct Chaos {
    ring: FakeRing,
    fake: Fake,
    files: [File; 2],
    keys: Vec<Key>,
    /// How often each client was settled.
    settled: Vec<u32>,
    stuck: usize,
}

impl Chaos {
    fn new(random: &mut Random) -> Self {
        let queue_limit = random.pick(&[0, 3, 30, 1000]);
        let entries = random.pick(&[1, 2, 4, 64]);
        let completions = random.pick(&[5, 8, 16, 64]);
        let (ring, fake) =
            ring_of(entries, completions, Options { queue_limit, ..Options::default() });
        let files = [seekable(), seekable()];
        Self { ring, fake, files, keys: Vec::new(), settled: Vec::new(), stuck: 0 }
    }

    fn submit(&mut self, random: &mut Random) {
        let timeout = random.chance(3).then(|| Duration::from_micros(random.below(5000) as u64));
        let extra = Extra { asynchronous: random.chance(3), timeout };
        let memory = self.ring.arena().allocate(8).unwrap();
        let number = random.pick(&[0, 0, 1, 2].map(|of: usize| match of {
            0 => 0,
            of => self.files[of - 1].as_raw_fd(),
        }));
        let offset = if number == 0 { 0 } else { CURRENT_POSITION };
        let descriptor = Descriptor::Borrowed(number);
        let client = self.settled.len() as u32;
        if let Ok(key) = self.ring.submit(Read { descriptor, memory, offset }.into(), extra, client)
        {
            self.keys.push(key);
            self.settled.push(0);
        }
    }

    fn flush(&mut self, limit: usize) {
        let (done, flushed) = flush(&mut self.ring, limit);
        assert!(done.len() <= limit);
        for (client, verdict) in done {
            self.settled[client as usize] += 1;
            assert_eq!(self.settled[client as usize], 1, "clause 1");
            self.stuck += usize::from(verdict == Verdict::Stuck);
        }
        let asleep = !flushed.again && !self.fake.is_readable();
        if asleep && self.ring.pending() > 0 {
            assert!(!self.fake.held().is_empty(), "asleep, and nothing would wake anybody");
            let (due, timer) = (self.ring.deadlines.earliest(), self.fake.timer());
            assert!(due.is_none_or(|due| timer.is_some_and(|timer| timer <= due)), "clause 2");
        }
    }

    fn step(&mut self, random: &mut Random) {
        match random.below(12) {
            0..=2 => (0..random.below(8)).for_each(|_| self.submit(random)),
            3 => self.flush(random.below(4)),
            4 | 5 => self.flush(usize::MAX),
            6 => self.fake.pass(Duration::from_micros(random.below(3000) as u64)),
            7 | 8 => {
                let held = self.fake.held();
                if !held.is_empty() {
                    let results = [8, 3, 0, -libc::EIO, -libc::EINTR, -512, -libc::EAGAIN];
                    let (key, result) = (random.pick(&held), random.pick(&results));
                    let more = random.chance(8);
                    self.fake.post(key, result, more, false);
                }
            }
            9 => {
                if !self.keys.is_empty() {
                    let key = random.pick(&self.keys);
                    self.ring.cancel(key);
                }
            }
            10 => {
                let script = match random.below(4) {
                    0 => lost(random.pick(&[0, 1, -libc::ENOENT, -libc::EALREADY, -libc::EINVAL])),
                    1 => Script { target_first: true, ..ends(0, -libc::ECANCELED) },
                    2 => ends(-libc::EALREADY, random.pick(&[8, -libc::EINTR, -513])),
                    _ => ends(0, -libc::ECANCELED),
                };
                self.fake.script(|s| s.cancels.push_back(script));
                if random.chance(5) {
                    self.fake.script(|s| s.updates.push_back(-libc::EINVAL));
                }
                if random.chance(20) {
                    self.ring.cancel_descriptor(random.pick(&[0, self.files[0].as_raw_fd()]));
                }
            }
            _ => {
                let refusal = Enter::Refuse(random.pick(&[libc::EAGAIN, libc::EBUSY, libc::EINTR]));
                let enter = random.pick(&[refusal, Enter::Take(0), Enter::Take(1)]);
                self.fake.script(|s| s.enters.push_back(enter));
            }
        }
        self.audit();
    }

    fn audit(&self) {
        let stats = self.ring.stats();
        let back = self.settled.iter().sum::<u32>() as usize;
        assert_eq!(stats.submitted as usize, self.settled.len());
        assert_eq!(stats.submitted as usize, back + self.ring.pending(), "conservation");
        let held = (self.ring.pending() + self.stuck) * 4096;
        assert_eq!(self.ring.arena().usage().held, held, "clause 3");
    }

    fn end(mut self, random: &mut Random) {
        let honest = random.chance(2);
        self.fake.script(|s| {
            s.honest = honest;
            s.enters.clear();
        });
        if honest {
            self.ring.cancel_all();
        } else {
            self.ring.destroy(Duration::from_secs(2));
        }
        for _ in 0..100 {
            self.flush(usize::MAX);
            self.audit();
            self.fake.pass(Duration::from_millis(100));
        }
        assert_eq!(self.ring.pending(), 0, "clause 2");
        assert!(self.settled.iter().all(|&times| times == 1));
        assert!(self.stuck == 0 || !honest);
        let (arena, leaked) = (self.ring.arena().clone(), self.stuck * 4096);
        drop(self.ring);
        assert_eq!(arena.usage().held, leaked);
    }
}

#[test]
fn clause_1_once_and_all_the_others_at_random() {
    let (mut operations, mut stuck) = (0, 0);
    for seed in 0..200 {
        let mut random = Random(seed);
        let mut chaos = Chaos::new(&mut random);
        for _ in 0..400 {
            chaos.step(&mut random);
        }
        operations += chaos.settled.len();
        stuck += usize::from(!chaos.fake.held().is_empty());
        if random.chance(4) {
            // Dropped with whatever it has: the kernel's part is leaked, the rest freed.
            let (arena, fake) = (chaos.ring.arena().clone(), chaos.fake.clone());
            drop(chaos);
            assert!(arena.usage().held >= fake.held().len() * 4096);
        } else {
            chaos.end(&mut random);
        }
    }
    assert!(operations > 20_000 && stuck > 50, "{operations} operations, {stuck} left in flight");
}
