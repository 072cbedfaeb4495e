//! One bucket a key, with a bound on how many keys are remembered.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use strowger_model::bucket::Bucket;

/// How much of something each key may do.
#[derive(Debug)]
pub struct Throttle<K> {
    per_second: f64,
    burst: f64,
    most_keys: usize,
    buckets: HashMap<K, Bucket>,
    // Keys that found no room share this one: an attacker with many addresses slows down strangers
    // and itself, never those already known.
    overflow: Option<Bucket>,
}

impl<K: Eq + Hash> Throttle<K> {
    /// Lets each key do `burst` at once and `per_second` after that, and remembers `most_keys` keys.
    #[must_use]
    pub fn new(per_second: f64, burst: f64, most_keys: usize) -> Self {
        Self {
            per_second,
            burst,
            most_keys,
            buckets: HashMap::new(),
            overflow: None,
        }
    }

    /// Takes one for the key.
    ///
    /// # Errors
    /// How long until there is one.
    pub fn take(&mut self, key: K, now: Instant) -> Result<(), Duration> {
        if self.buckets.len() >= self.most_keys && !self.buckets.contains_key(&key) {
            self.buckets.retain(|_, bucket| !bucket.is_idle(now));
        }
        let full = self.buckets.len() >= self.most_keys && !self.buckets.contains_key(&key);
        let fresh = || Bucket::new(self.per_second, self.burst, now);
        let bucket = if full {
            self.overflow.get_or_insert_with(fresh)
        } else {
            self.buckets.entry(key).or_insert_with(fresh)
        };
        if bucket.take(now) { Ok(()) } else { Err(bucket.wait()) }
    }

    /// Forgets what the key did: it has shown that it is who it says.
    pub fn forgive(&mut self, key: &K) {
        self.buckets.remove(key);
    }
}

/// What stands for a source: an IPv4 address, or the /64 an IPv6 host picks its addresses from.
#[must_use]
pub fn source_key(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(network.into())
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests start from the clock and add to it")]
mod tests {
    use super::*;

    #[test]
    fn keys_do_not_pay_for_each_other_until_there_are_too_many() {
        let now = Instant::now();
        let mut throttle = Throttle::new(0.1, 1.0, 2);
        assert!(throttle.take(1, now).is_ok());
        assert!(throttle.take(2, now).is_ok());
        let wait = throttle.take(1, now).unwrap_err();
        assert!(
            wait > Duration::from_secs(9) && wait <= Duration::from_secs(10),
            "{wait:?}"
        );
        assert!(throttle.take(3, now).is_ok(), "the first stranger");
        assert!(throttle.take(4, now).is_err(), "the second shares its bucket");
        throttle.forgive(&1);
        assert!(throttle.take(1, now).is_ok());
    }

    #[test]
    fn idle_keys_make_room() {
        let now = Instant::now();
        let mut throttle = Throttle::new(1.0, 1.0, 1);
        assert!(throttle.take(1, now).is_ok());
        let later = now + Duration::from_secs(2);
        assert!(throttle.take(2, later).is_ok());
        assert!(throttle.take(2, later).is_err());
    }

    #[test]
    fn an_ipv6_host_is_its_network() {
        let one: IpAddr = "2001:db8::1".parse().unwrap();
        let two: IpAddr = "2001:db8::ffff:2".parse().unwrap();
        assert_eq!(source_key(one), source_key(two));
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(source_key(mapped), "192.0.2.1".parse::<IpAddr>().unwrap());
    }
}
