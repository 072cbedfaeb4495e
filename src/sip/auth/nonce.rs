//! Nonces that prove themselves: time, a number and a keyed digest over them, the realm and the source address. Memory
//! is spent on a nonce only once a password has been proved with it, so nobody else can fill or poison it.

use aws_lc_rs::hmac;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};
use strowger_model::World;

/// How long a nonce may be used.
const LIFE: Duration = Duration::from_secs(300);
/// How far `nc` values may arrive out of order.
const WINDOW: u32 = 32;
const MAC: usize = 12;

/// What a nonce is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// Ours, and young enough. The number names it.
    Fresh(u64),
    /// Too old, from before a restart, or for another realm or address.
    Stale,
}

/// Mints and checks nonces.
#[derive(Debug)]
pub struct Nonces {
    key: hmac::Key,
    epoch: Instant,
    minted: u32,
    used: HashMap<u64, Used>,
    ends: VecDeque<(Instant, u64)>,
}

#[derive(Debug)]
struct Used {
    highest: u32,
    /// Bit n: `highest - n` was seen.
    seen: u32,
}

impl Nonces {
    /// A mint with a fresh key.
    #[must_use]
    pub fn new(world: &dyn World, now: Instant) -> Self {
        let mut key = [0u8; 32];
        world.fill(&mut key);
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            epoch: now,
            minted: 0,
            used: HashMap::new(),
            ends: VecDeque::new(),
        }
    }

    /// A nonce for a realm and an address.
    pub fn mint(&mut self, realm: &str, source: IpAddr, now: Instant) -> String {
        self.minted = self.minted.wrapping_add(1);
        let seconds = u32::try_from(now.saturating_duration_since(self.epoch).as_secs()).unwrap_or(u32::MAX);
        let name = u64::from(seconds) << 32 | u64::from(self.minted);
        format!("{name:016x}{}", hex::encode(self.mac(name, realm, source)))
    }

    /// What a nonce is worth that came back from an address.
    #[must_use]
    pub fn check(&self, nonce: &str, realm: &str, source: IpAddr, now: Instant) -> Worth {
        let Some((name, mac)) = nonce.split_at_checked(16) else {
            return Worth::Stale;
        };
        let (Ok(name), Ok(mac)) = (u64::from_str_radix(name, 16), hex::decode(mac)) else {
            return Worth::Stale;
        };
        let is_ours = aws_lc_rs::constant_time::verify_slices_are_equal(&mac, &self.mac(name, realm, source)).is_ok();
        let minted = self.epoch + Duration::from_secs(name >> 32);
        // A second of grace: `minted` was rounded down.
        let is_young = now.saturating_duration_since(minted) <= LIFE;
        if is_ours && is_young {
            Worth::Fresh(name)
        } else {
            Worth::Stale
        }
    }

    /// Notes a use after its digest was found right; false when this `nc` was used before. Without `nc` a nonce serves
    /// once.
    pub fn spend(&mut self, name: u64, nc: Option<u32>, now: Instant) -> bool {
        while let Some(&(end, old)) = self.ends.front() {
            if end > now {
                break;
            }
            self.ends.pop_front();
            self.used.remove(&old);
        }
        let count = nc.unwrap_or(1);
        let Some(used) = self.used.get_mut(&name) else {
            self.used.insert(
                name,
                Used {
                    highest: count,
                    seen: 1,
                },
            );
            self.ends.push_back((now + LIFE + Duration::from_secs(2), name));
            return true;
        };
        if count > used.highest {
            let ahead = count - used.highest;
            used.seen = used.seen.checked_shl(ahead).unwrap_or(0) | 1;
            used.highest = count;
            return true;
        }
        let behind = used.highest - count;
        if behind >= WINDOW || used.seen & (1 << behind) != 0 {
            return false;
        }
        used.seen |= 1 << behind;
        true
    }

    /// How many nonces are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.used.len()
    }

    fn mac(&self, name: u64, realm: &str, source: IpAddr) -> [u8; MAC] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&name.to_be_bytes());
        match source {
            IpAddr::V4(source) => context.update(&source.octets()),
            IpAddr::V6(source) => context.update(&source.octets()),
        }
        context.update(realm.as_bytes());
        let mut mac = [0; MAC];
        mac.copy_from_slice(&context.sign().as_ref()[..MAC]);
        mac
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
mod tests {
    use super::*;
    use strowger_model::world::SeededWorld;

    #[test]
    fn a_nonce_is_bound_to_realm_address_and_time() {
        let now = Instant::now();
        let mut nonces = Nonces::new(&SeededWorld::new(1, 0), now);
        let here = IpAddr::from([127, 0, 0, 1]);
        let nonce = nonces.mint("a", here, now);
        assert!(matches!(nonces.check(&nonce, "a", here, now + LIFE), Worth::Fresh(_)));
        assert_eq!(nonces.check(&nonce, "b", here, now), Worth::Stale);
        assert_eq!(
            nonces.check(&nonce, "a", IpAddr::from([127, 0, 0, 2]), now),
            Worth::Stale
        );
        assert_eq!(
            nonces.check(&nonce, "a", here, now + LIFE + Duration::from_secs(2)),
            Worth::Stale
        );
        assert_eq!(nonces.check("zz", "a", here, now), Worth::Stale);
        assert_ne!(nonces.mint("a", here, now), nonce);
    }

    #[test]
    fn counts_up_to_0x200_pass_once_each_also_out_of_order() {
        let now = Instant::now();
        let mut nonces = Nonces::new(&SeededWorld::new(1, 0), now);
        for base in (1..0x200).step_by(4) {
            for count in [base + 2, base, base + 3, base + 1] {
                assert!(nonces.spend(7, Some(count), now), "{count}");
                assert!(!nonces.spend(7, Some(count), now), "{count} again");
            }
        }
        assert!(!nonces.spend(7, Some(0x100), now), "behind the window");
        assert!(nonces.spend(8, None, now));
        assert!(!nonces.spend(8, None, now));
        assert!(nonces.spend(9, None, now + LIFE * 2));
        assert_eq!(nonces.remembered(), 1);
    }
}
