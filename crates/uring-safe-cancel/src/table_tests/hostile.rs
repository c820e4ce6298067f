//! All clauses, under a kernel and a driver that do anything.

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

    fn take<T>(&mut self, of: &mut Vec<T>) -> Option<T> {
        (!of.is_empty()).then(|| of.swap_remove(self.below(of.len())))
    }
}

/// A table with its driver: a client that does anything, a kernel that answers in any order.
struct Driver {
    table: Table<u64>,
    parked: List,
    /// Who stands in `parked`, in order.
    parked_keys: VecDeque<Key>,
    /// Operations in the kernel's hands, by how many CQEs with `F_MORE` they have had.
    kernel: Vec<(Key, u32)>,
    /// Cancels whose answers are due.
    cancels: Vec<Key>,
    /// Delays that run.
    delays: Vec<Key>,
    /// Operations that have not come back, with their payloads.
    live: HashMap<Key, u64>,
    /// Keys of operations that have.
    stale: Vec<Key>,
    inserted: u64,
    settled: u64,
    /// Slots that were given up.
    leaked: HashSet<u32>,
}

impl Driver {
    fn new(limits: Limits) -> Self {
        Self {
            table: Table::new(limits, CancelPolicy::default()),
            parked: List::new(),
            parked_keys: VecDeque::new(),
            kernel: Vec::new(),
            cancels: Vec::new(),
            delays: Vec::new(),
            live: HashMap::new(),
            stale: Vec::new(),
            inserted: 0,
            settled: 0,
            leaked: HashSet::new(),
        }
    }

    fn apply(&mut self, key: Key, event: Event) {
        let Outcome { actions, settled } = self.table.apply(key, event);
        assert_eq!(actions.settle.is_some(), settled.is_some());
        if let Some(settled) = settled {
            assert_eq!(settled.key, key);
            let payload = self.live.remove(&key);
            assert_eq!(payload, Some(settled.payload), "clause 1: not settled before");
            let in_the_kernel = self.kernel.iter().any(|&(held, _)| held == key);
            assert_eq!(in_the_kernel, settled.verdict == Verdict::Stuck, "clause 3");
            if in_the_kernel {
                self.leaked.insert(key.slot);
            }
            self.settled += 1;
            self.stale.push(key);
        }
        if actions.resubmit {
            self.table.enqueue_first(key);
        }
        if actions.arm_retry.is_some() {
            self.delays.push(key);
        }
        if actions.release {
            assert!(!self.cancels.contains(&key), "clause 6: a cancel names the slot");
            assert!(!self.leaked.contains(&key.slot), "clause 3: the kernel holds it");
        }
    }

    fn insert(&mut self, random: &mut Random) {
        let payload = self.inserted;
        let Ok(key) = self.table.insert(payload) else {
            assert!(!self.table.has_room());
            return;
        };
        self.inserted += 1;
        assert!(self.live.insert(key, payload).is_none() && !self.stale.contains(&key));
        match random.below(4) {
            0 => {
                self.table.park(&mut self.parked, key);
                self.parked_keys.push_back(key);
            }
            1 if self.table.is_queue_empty() && self.table.may_submit() => {
                self.table.submitted(key, random.below(2) == 0);
                self.kernel.push((key, 0));
            }
            _ => self.table.enqueue(key),
        }
    }

    fn unpark(&mut self, key: Key) {
        if let Some(position) = self.parked_keys.iter().position(|&parked| parked == key) {
            self.parked_keys.remove(position);
            self.table.unpark(&mut self.parked, key);
        }
    }

    fn fill(&mut self, random: &mut Random) {
        while let Some(key) = self.table.next_cancel() {
            if random.below(5) == 0 {
                self.table.put_back_cancel(key);
                return;
            }
            assert!(!self.cancels.contains(&key), "clause 7: one cancel at a time");
            assert!(self.kernel.iter().any(|&(held, _)| held == key), "clause 6");
            self.cancels.push(key);
            self.apply(key, Event::CancelIssued);
        }
        while let Some(key) = self.table.next_waiting() {
            if random.below(5) == 0 {
                self.table.enqueue_first(key);
                return;
            }
            self.table.submitted(key, random.below(2) == 0);
            self.kernel.push((key, 0));
        }
        assert!(!self.table.may_cancel());
    }

    fn complete(&mut self, random: &mut Random) {
        let Some((key, followed)) = random.take(&mut self.kernel) else { return };
        let result = random.pick(&[8, 0, 3, -libc::EIO, -libc::EINTR, -512, -libc::EAGAIN]);
        let result = if random.below(2) == 0 { -libc::ECANCELED } else { result };
        let more = followed < 3 && random.below(6) == 0;
        let notification = !more && followed > 0 && random.below(2) == 0;
        if more {
            self.kernel.push((key, followed + 1));
        }
        let is_miss =
            result == -libc::EAGAIN && !more && !notification && key.slot.is_multiple_of(2);
        self.apply(
            key,
            match is_miss {
                true => Event::TargetNotReady,
                false => Event::TargetCompleted { result, more, notification },
            },
        );
    }

    fn step(&mut self, random: &mut Random) {
        match random.below(12) {
            0..=2 => self.insert(random),
            3 | 4 => self.fill(random),
            5 | 6 => self.complete(random),
            7 => {
                if let Some(key) = random.take(&mut self.cancels) {
                    let answer =
                        random.pick(&[0, 1, -libc::ENOENT, -libc::EALREADY, -libc::EINVAL]);
                    self.apply(key, Event::CancelAnswered(answer));
                }
            }
            8 => {
                if let Some(key) = random.take(&mut self.delays) {
                    self.apply(key, Event::RetryDue);
                }
            }
            9 => {
                let keys: Vec<Key> = self.table.unsettled_keys().collect();
                if !keys.is_empty() {
                    let key = random.pick(&keys);
                    self.unpark(key);
                    self.apply(key, Event::CancelAsked);
                }
            }
            10 => {
                assert_eq!(
                    self.table.unpark_first(&mut self.parked),
                    self.parked_keys.front().copied()
                );
                if let Some(key) = self.parked_keys.pop_front() {
                    self.table.enqueue(key);
                }
            }
            _ => {
                if !self.stale.is_empty() {
                    // What a client, a timer or a kernel might say too late.
                    let key = random.pick(&self.stale);
                    if !self.leaked.contains(&key.slot) {
                        self.apply(key, Event::CancelAsked);
                        self.apply(key, Event::RetryDue);
                        self.apply(key, Event::StuckDue);
                        self.table.put_back_cancel(key);
                    }
                }
            }
        }
        self.audit();
    }

    fn audit(&self) {
        self.table.audit(&self.parked);
        assert_eq!(self.live.len() as u32, self.table.unsettled());
        assert_eq!(self.inserted, self.settled + self.live.len() as u64, "conservation");
        let held = self.kernel.iter().filter(|(key, _)| !self.leaked.contains(&key.slot));
        assert_eq!(held.count() as u32, self.table.in_flight());
        assert_eq!(self.cancels.len() as u32, self.table.cancels_outstanding());
        for (&key, payload) in &self.live {
            assert_eq!(self.table.payload(key), Some(payload));
            assert_eq!(self.table.key_in(key.slot), Some(key));
        }
    }

    /// Lets everything end; with `give_up`, not by the kernel.
    fn finish(mut self, random: &mut Random, give_up: bool) {
        let keys: Vec<Key> = self.table.unsettled_keys().collect();
        for key in keys {
            self.unpark(key);
            self.apply(key, if give_up { Event::Abandoned } else { Event::CancelAsked });
            self.audit();
        }
        for _ in 0..100_000 {
            if self.live.is_empty() && self.kernel.is_empty() && self.cancels.is_empty() {
                break;
            }
            match random.below(3) {
                0 => self.fill(random),
                1 => self.complete(random),
                _ => {
                    if let Some(key) = random.take(&mut self.cancels) {
                        self.apply(key, Event::CancelAnswered(0));
                    }
                }
            }
            self.audit();
        }
        assert!(self.live.is_empty(), "everything settles");
        let free = self.table.free.len() as usize;
        assert_eq!(free + self.leaked.len(), self.table.slots.len(), "no slot is lost");
    }
}

#[test]
fn clause_1_once_and_all_the_others_under_a_hostile_kernel() {
    let mut settled = 0;
    for seed in 0..100 {
        let mut random = Random(seed);
        let completions = random.pick(&[5, 6, 8, 13, 40]);
        let waiting = random.pick(&[0, 1, 5, 30]);
        let mut driver = Driver::new(limits(completions, waiting));
        for _ in 0..1_000 {
            driver.step(&mut random);
        }
        settled += driver.settled;
        driver.finish(&mut random, seed % 2 == 0);
    }
    assert!(settled > 5_000, "{settled} operations");
}
