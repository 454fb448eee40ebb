//! Rates: a token bucket for each address and each client, in bounded memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Buckets, one a key. When the table is full and none is idle, new keys share one bucket: memory stays bounded and nobody new is let past the rate.
pub(crate) struct Buckets<K> {
    rate: f64,
    burst: f64,
    keys: usize,
    state: Mutex<State<K>>,
}

struct State<K> {
    of: HashMap<K, Bucket>,
    shared: Option<Bucket>,
    swept: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl<K: Eq + Hash> Buckets<K> {
    /// Buckets of `burst` tokens filled at `rate` a second, for at most `keys` keys.
    pub(crate) fn new(rate: u32, burst: u32, keys: usize) -> Self {
        let state = State { of: HashMap::new(), shared: None, swept: None };
        Self { rate: f64::from(rate.max(1)), burst: f64::from(burst.max(1)), keys, state: Mutex::new(state) }
    }

    /// Takes one token of this key's bucket, or says how long until there is one.
    pub(crate) fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { of, shared, swept } = &mut *state;
        // A bucket that is full again says nothing that a new one would not. Sweeping is linear, so at most once a second.
        if of.len() >= self.keys
            && !of.contains_key(&key)
            && swept.is_none_or(|at| now.duration_since(at) >= Duration::from_secs(1))
        {
            *swept = Some(now);
            of.retain(|_, bucket| self.level(bucket, now) < self.burst);
        }
        let new = Bucket { tokens: self.burst, at: now };
        let bucket = if of.len() < self.keys || of.contains_key(&key) {
            of.entry(key).or_insert(new)
        } else {
            shared.get_or_insert(new)
        };
        let level = self.level(bucket, now);
        if level < 1.0 {
            *bucket = Bucket { tokens: level, at: now };
            return Err(Duration::from_secs_f64((1.0 - level) / self.rate));
        }
        *bucket = Bucket { tokens: level - 1.0, at: now };
        Ok(())
    }

    fn level(&self, bucket: &Bucket, now: Instant) -> f64 {
        let filled = now.saturating_duration_since(bucket.at).as_secs_f64() * self.rate;
        (bucket.tokens + filled).min(self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills() {
        let buckets = Buckets::new(10, 3, 2);
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(buckets.take('a', start), Ok(()));
        }
        let wait = buckets.take('a', start).unwrap_err();
        assert!(wait > Duration::from_millis(90) && wait <= Duration::from_millis(100), "{wait:?}");
        assert_eq!(buckets.take('b', start), Ok(()), "another key is not held up");
        assert_eq!(buckets.take('a', start + Duration::from_millis(101)), Ok(()));
    }

    #[test]
    fn a_flood_of_keys_shares_one_bucket() {
        let buckets = Buckets::new(1, 2, 4);
        let now = Instant::now();
        let let_past = (0..1000).filter(|key| buckets.take(*key, now).is_ok()).count();
        assert_eq!(let_past, 4 + 2);
        assert_eq!(buckets.state.lock().unwrap().of.len(), 4);
        // Once the first are full again they make room.
        assert_eq!(buckets.take(5000, now + Duration::from_secs(3)), Ok(()));
        assert_eq!(buckets.state.lock().unwrap().of.len(), 1);
    }
}
