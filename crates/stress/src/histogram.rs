//! Times in buckets, so that an hour of them takes no more memory than a second.

use std::time::Duration;

/// Buckets for each power of two: an error of at most 3 %.
const STEPS: u64 = 32;

/// Times from a nanosecond on.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    longest: Duration,
}

fn bucket(nanoseconds: u64) -> usize {
    if nanoseconds < STEPS {
        return nanoseconds as usize;
    }
    let shift = nanoseconds.ilog2() - STEPS.ilog2();
    (u64::from(shift) * STEPS + (nanoseconds >> shift)) as usize
}

/// The shortest time of a bucket.
fn floor(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 2 * STEPS {
        return bucket;
    }
    let shift = bucket / STEPS - 1;
    (bucket - shift * STEPS) << shift
}

impl Histogram {
    /// Counts one time.
    pub fn record(&mut self, time: Duration) {
        let bucket = bucket(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.total += 1;
        self.longest = self.longest.max(time);
    }

    /// Adds another one's times.
    pub fn merge(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
        self.longest = self.longest.max(other.longest);
    }

    /// The time that this share (0 to 1) of all stay below, to 3 %.
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = (self.total as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(floor(bucket)).min(self.longest);
            }
        }
        self.longest
    }

    /// The longest time, exactly.
    pub fn longest(&self) -> Duration {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_lies_in_its_bucket() {
        for nanoseconds in (0..10_000).chain((0..63).map(|power| (1 << power) + 7)) {
            let bucket = bucket(nanoseconds);
            assert!(floor(bucket) <= nanoseconds && nanoseconds < floor(bucket + 1));
            assert!(nanoseconds - floor(bucket) <= nanoseconds / STEPS);
        }
    }

    #[test]
    fn quantiles_are_those_of_the_times() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), Duration::ZERO);
        (1..=1000).for_each(|time| histogram.record(Duration::from_micros(time)));
        for (share, microseconds) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = histogram.quantile(share).as_secs_f64() * 1e6;
            assert!((found / microseconds - 1.0).abs() < 0.04, "{share}: {found}");
        }
        let mut other = Histogram::default();
        other.record(Duration::from_secs(1));
        histogram.merge(&other);
        assert_eq!(histogram.longest(), Duration::from_secs(1));
    }
}
