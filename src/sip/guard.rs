//! Who is too loud: token buckets a source before anything is parsed, and a memory of wrong passwords.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use strowger_model::bucket::Bucket;

/// So many sources are told apart; beyond that newcomers share one bucket.
const SOURCES: usize = 65_536;
/// How often what is idle is forgotten.
const SWEEP: Duration = Duration::from_secs(10);

/// Limits messages by source.
#[derive(Debug)]
pub(crate) struct Guard {
    messages: Buckets<IpAddr>,
    wrong_by_source: Buckets<IpAddr>,
    wrong_by_user: Buckets<String>,
}

impl Guard {
    pub(crate) fn new(messages_per_second: u32, wrong_passwords: u32, now: Instant) -> Self {
        let rate = f64::from(messages_per_second.max(1));
        let wrong = f64::from(wrong_passwords.max(1));
        Self {
            messages: Buckets::new(rate, rate * 2.0, now),
            // A source may be a whole office behind one address.
            wrong_by_source: Buckets::new(wrong / 6.0, wrong * 10.0, now),
            wrong_by_user: Buckets::new(wrong / 60.0, wrong, now),
        }
    }

    /// Whether a message of this source may be looked at.
    pub(crate) fn admits(&mut self, source: IpAddr, now: Instant) -> bool {
        self.messages.take(class(source), now)
    }

    /// Whether a password of this user from this source may be looked at.
    pub(crate) fn may_try(&mut self, source: IpAddr, username: &str, now: Instant) -> bool {
        !self.wrong_by_source.is_empty(&class(source), now) && !self.wrong_by_user.is_empty(&username.to_owned(), now)
    }

    /// Notes a wrong password.
    pub(crate) fn was_wrong(&mut self, source: IpAddr, username: &str, now: Instant) {
        self.wrong_by_source.take(class(source), now);
        self.wrong_by_user.take(username.chars().take(64).collect(), now);
    }
}

/// An IPv6 source is its /64: whoever holds one address there holds them all.
fn class(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(_) => source,
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => address.into(),
            None => std::net::Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        },
    }
}

#[derive(Debug)]
struct Buckets<K> {
    rate: f64,
    burst: f64,
    each: HashMap<K, Bucket>,
    rest: Bucket,
    swept: Instant,
}

impl<K: Eq + Hash> Buckets<K> {
    fn new(rate: f64, burst: f64, now: Instant) -> Self {
        let (each, rest) = (HashMap::new(), Bucket::new(rate, burst, now));
        Self {
            rate,
            burst,
            each,
            rest,
            swept: now,
        }
    }

    fn take(&mut self, key: K, now: Instant) -> bool {
        if now.saturating_duration_since(self.swept) > SWEEP {
            self.swept = now;
            self.each.retain(|_, bucket| !bucket.is_idle(now));
        }
        if self.each.len() >= SOURCES && !self.each.contains_key(&key) {
            return self.rest.take(now);
        }
        let (rate, burst) = (self.rate, self.burst);
        self.each
            .entry(key)
            .or_insert_with(|| Bucket::new(rate, burst, now))
            .take(now)
    }

    fn is_empty(&self, key: &K, now: Instant) -> bool {
        self.each.get(key).is_some_and(|bucket| !bucket.clone().take(now))
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
mod tests {
    use super::*;

    #[test]
    fn a_loud_source_is_cut_off_and_others_are_not() {
        let now = Instant::now();
        let mut guard = Guard::new(10, 3, now);
        let loud = IpAddr::from([192, 0, 2, 1]);
        assert_eq!((0..100).filter(|_| guard.admits(loud, now)).count(), 20);
        assert!(guard.admits(IpAddr::from([192, 0, 2, 2]), now));
        assert!(guard.admits(loud, now + Duration::from_secs(1)));
    }

    #[test]
    fn wrong_passwords_lock_the_user_for_a_while() {
        let now = Instant::now();
        let mut guard = Guard::new(10, 3, now);
        let source = IpAddr::from([192, 0, 2, 1]);
        for _ in 0..3 {
            assert!(guard.may_try(source, "u", now));
            guard.was_wrong(source, "u", now);
        }
        assert!(!guard.may_try(source, "u", now));
        assert!(guard.may_try(source, "v", now));
        assert!(guard.may_try(source, "u", now + Duration::from_secs(25)));
    }
}
