//! What strangers cost: nonces that need no memory, and a limit to the answers they get.

use aws_lc_rs::{constant_time, hmac};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use strowger_model::World;

/// How long a nonce may be used; a client whose nonce is older gets another one without the user noticing.
const LIFE_S: u64 = 3600;
const MAC: usize = 12;

/// Nonces that prove themselves: the second they were made and a keyed digest of it and the client's address.
#[derive(Debug)]
pub(super) struct Nonces(hmac::Key);

impl Nonces {
    pub(super) fn new(world: &dyn World) -> Self {
        let mut key = [0_u8; 32];
        world.fill(&mut key);
        Self(hmac::Key::new(hmac::HMAC_SHA256, &key))
    }

    pub(super) fn mint(&self, client: SocketAddr, unix_s: u64) -> String {
        format!("{unix_s:016x}{}", hex::encode(self.mac(client, unix_s)))
    }

    pub(super) fn is_fresh(&self, nonce: &str, client: SocketAddr, unix_s: u64) -> bool {
        let Some((minted, mac)) = nonce.split_at_checked(16) else {
            return false;
        };
        let (Ok(minted), Ok(mac)) = (u64::from_str_radix(minted, 16), hex::decode(mac)) else {
            return false;
        };
        let is_ours = constant_time::verify_slices_are_equal(&mac, &self.mac(client, minted)).is_ok();
        is_ours && unix_s.saturating_sub(minted) <= LIFE_S
    }

    fn mac(&self, client: SocketAddr, unix_s: u64) -> [u8; MAC] {
        let text = format!("{unix_s} {client}");
        let tag = hmac::sign(&self.0, text.as_bytes());
        let mut out = [0; MAC];
        out.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        out
    }
}

/// Cells of the flood gate. Two addresses that share one share its allowance for a second.
const CELLS: usize = 4096;

/// Counts answers to strangers by address, in a table that never grows.
pub(super) struct Floodgate {
    allowed: u16,
    since: Option<Instant>,
    cells: Box<[u16; CELLS]>,
    hasher: std::hash::RandomState,
}

impl std::fmt::Debug for Floodgate {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Floodgate({} a second)", self.allowed)
    }
}

impl Floodgate {
    pub(super) fn new(allowed: u16) -> Self {
        Self {
            allowed,
            since: None,
            cells: Box::new([0; CELLS]),
            hasher: std::hash::RandomState::new(),
        }
    }

    /// Whether an address may have one more answer in this second.
    pub(super) fn lets_through(&mut self, address: IpAddr, now: Instant) -> bool {
        use std::hash::BuildHasher as _;
        if self
            .since
            .is_none_or(|since| now.saturating_duration_since(since) >= Duration::from_secs(1))
        {
            self.since = Some(now);
            self.cells.fill(0);
        }
        let cell = usize::try_from(self.hasher.hash_one(address) % CELLS as u64).unwrap_or(0);
        let Some(count) = self.cells.get_mut(cell) else {
            return false;
        };
        if *count >= self.allowed {
            return false;
        }
        *count += 1;
        true
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
mod tests {
    use super::*;
    use strowger_model::world::SeededWorld;

    #[test]
    fn a_nonce_serves_its_own_client_for_an_hour() {
        let nonces = Nonces::new(&SeededWorld::new(1, 0));
        let (client, other) = ("1.2.3.4:5".parse().unwrap(), "1.2.3.4:6".parse().unwrap());
        let nonce = nonces.mint(client, 1000);
        assert!(nonces.is_fresh(&nonce, client, 1000) && nonces.is_fresh(&nonce, client, 4600));
        assert!(!nonces.is_fresh(&nonce, client, 4601) && !nonces.is_fresh(&nonce, other, 1000));
        let strange = Nonces::new(&SeededWorld::new(2, 0)).mint(client, 1000);
        for text in ["", "00", "zz", &strange, "ü".repeat(20).as_str()] {
            assert!(!nonces.is_fresh(text, client, 1000), "{text}");
        }
    }

    #[test]
    fn a_flood_from_one_address_ends_and_leaves_others_alone() {
        let mut gate = Floodgate::new(3);
        let now = Instant::now();
        let (loud, calm) = ("1.2.3.4".parse().unwrap(), "9.8.7.6".parse().unwrap());
        let through = (0..100).filter(|_| gate.lets_through(loud, now)).count();
        assert_eq!(through, 3);
        // One in 4,096 runs both share a cell; then the calm one waits a second too.
        let shares = !gate.lets_through(calm, now);
        assert!(!shares || gate.lets_through(calm, now + Duration::from_secs(1)));
        assert!(gate.lets_through(loud, now + Duration::from_secs(1)));
    }
}
