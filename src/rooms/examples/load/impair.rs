//! A bad network: loses, delays and reorders datagrams by a seeded sequence.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub(crate) struct Impairment {
    loss: f64,
    jitter: Duration,
    state: u64,
    held: BTreeMap<(Instant, u64), Vec<u8>>,
    count: u64,
}

impl Impairment {
    pub(crate) fn new(loss: f64, jitter: Duration, seed: u64) -> Self {
        Self {
            loss,
            jitter,
            state: seed,
            held: BTreeMap::new(),
            count: 0,
        }
    }

    /// Takes a datagram; it is lost, or comes out within the jitter's span, each with its own delay.
    pub(crate) fn take(&mut self, datagram: &[u8], now: Instant) {
        if self.chance() < self.loss {
            return;
        }
        let delay = self.jitter.mul_f64(self.chance());
        self.count += 1;
        self.held.insert((now + delay, self.count), datagram.to_vec());
    }

    /// The next datagram that is due.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Vec<u8>> {
        let first = self.held.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// When the next one is due.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.held.keys().next().map(|(at, _)| *at)
    }

    pub(crate) fn clear(&mut self) {
        self.held.clear();
    }

    /// SplitMix64: a number from 0 up to 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    fn chance(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
