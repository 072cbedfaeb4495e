//! One client's relay: whom it may reach, under which channels, and until when.

use super::{Client, RelayId};
use crate::turn::credentials::Name;
use crate::turn::wire::{IntegrityKey, TransactionId};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// RFC 8656 §9: a permission lives five minutes.
const PERMISSION: Duration = Duration::from_secs(300);
/// RFC 8656 §12: a channel lives ten minutes.
const CHANNEL: Duration = Duration::from_secs(600);

/// A relay whose socket is being opened.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) client: Client,
    /// The request, answered when the socket is there.
    pub(super) request: Vec<u8>,
    pub(super) owner: Owner,
}

/// Who made a relay, and what answers are signed with.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) username: String,
    pub(super) key: IntegrityKey,
}

impl Owner {
    pub(super) fn member(&self) -> &str {
        Name::parse(&self.username).map_or("", |name| name.member)
    }
}

impl Opening {
    pub(super) fn member(&self) -> &str {
        self.owner.member()
    }
}

/// A relay.
#[derive(Debug)]
pub(super) struct Allocation {
    pub(super) relay: RelayId,
    /// Its address as clients are told.
    pub(super) relayed: SocketAddr,
    pub(super) owner: Owner,
    /// The request that made it: when it comes again, so does its answer.
    pub(super) made_by: TransactionId,
    pub(super) ends_at: Instant,
    /// Beyond this no refreshing helps.
    pub(super) dies_at: Instant,
    pub(super) permissions: Permissions,
    pub(super) channels: Channels,
    pub(super) budget: Budget,
}

impl Allocation {
    pub(super) fn member(&self) -> &str {
        self.owner.member()
    }
}

/// Which addresses may be reached, whatever their port.
#[derive(Debug, Default)]
pub(super) struct Permissions(Vec<(IpAddr, Instant)>);

impl Permissions {
    /// Lets an address in for five minutes; false when there are `most` others.
    pub(super) fn grant(&mut self, address: IpAddr, most: usize, now: Instant) -> bool {
        let address = address.to_canonical();
        self.0.retain(|(_, ends_at)| *ends_at > now);
        let ends_at = now + PERMISSION;
        if let Some(known) = self.0.iter_mut().find(|(known, _)| *known == address) {
            known.1 = ends_at;
        } else if self.0.len() < most {
            self.0.push((address, ends_at));
        } else {
            return false;
        }
        true
    }

    /// How many of these addresses are new.
    pub(super) fn strangers<'a>(&self, addresses: impl Iterator<Item = &'a SocketAddr>, now: Instant) -> usize {
        addresses.filter(|peer| !self.holds(peer.ip(), now)).count()
    }

    /// Addresses that may be reached.
    pub(super) fn count(&self, now: Instant) -> usize {
        self.0.iter().filter(|(_, ends_at)| *ends_at > now).count()
    }

    pub(super) fn holds(&self, address: IpAddr, now: Instant) -> bool {
        let address = address.to_canonical();
        self.0
            .iter()
            .any(|(known, ends_at)| *known == address && *ends_at > now)
    }
}

#[derive(Debug, Clone, Copy)]
struct Channel {
    number: u16,
    peer: SocketAddr,
    ends_at: Instant,
}

/// Peers that have a number of two bytes.
#[derive(Debug, Default)]
pub(super) struct Channels(Vec<Channel>);

/// Why a channel was not bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unbound {
    /// The number is another peer's, or the peer has another number.
    Taken,
    /// There are as many as there may be.
    Enough,
}

impl Channels {
    /// Binds a number to a peer, or refreshes the binding.
    pub(super) fn bind(&mut self, number: u16, peer: SocketAddr, most: usize, now: Instant) -> Result<(), Unbound> {
        self.0.retain(|channel| channel.ends_at > now);
        let (ends_at, is_full) = (now + CHANNEL, self.0.len() >= most);
        let known = self
            .0
            .iter_mut()
            .find(|channel| channel.number == number || channel.peer == peer);
        match known {
            Some(channel) if channel.number == number && channel.peer == peer => channel.ends_at = ends_at,
            Some(_) => return Err(Unbound::Taken),
            None if is_full => return Err(Unbound::Enough),
            None => self.0.push(Channel { number, peer, ends_at }),
        }
        Ok(())
    }

    pub(super) fn peer(&self, number: u16, now: Instant) -> Option<SocketAddr> {
        self.find(|channel| channel.number == number, now)
            .map(|channel| channel.peer)
    }

    pub(super) fn number(&self, peer: SocketAddr, now: Instant) -> Option<u16> {
        self.find(|channel| channel.peer == peer, now)
            .map(|channel| channel.number)
    }

    fn find(&self, wanted: impl Fn(&Channel) -> bool, now: Instant) -> Option<&Channel> {
        self.0.iter().find(|channel| wanted(channel) && channel.ends_at > now)
    }
}

/// Bytes that may still pass: a second's worth at most is saved up.
#[derive(Debug)]
pub(super) struct Budget {
    left: u64,
    filled_at: Instant,
}

impl Budget {
    pub(super) fn new(bytes_per_second: u32, now: Instant) -> Self {
        Self {
            left: bytes_per_second.into(),
            filled_at: now,
        }
    }

    /// Takes what a packet needs; false when there is not enough.
    pub(super) fn take(&mut self, bytes: usize, bytes_per_second: u32, now: Instant) -> bool {
        let rate = u64::from(bytes_per_second);
        let passed = now.saturating_duration_since(self.filled_at);
        let earned = u64::try_from(passed.as_micros())
            .unwrap_or(u64::MAX)
            .saturating_mul(rate)
            / 1_000_000;
        if earned > 0 {
            self.left = self.left.saturating_add(earned).min(rate);
            self.filled_at = now;
        }
        let wanted = bytes as u64;
        let is_enough = self.left >= wanted;
        if is_enough {
            self.left -= wanted;
        }
        is_enough
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
mod tests {
    use super::*;

    fn peer(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_permission_ends_after_five_minutes_and_makes_room() {
        let now = Instant::now();
        let mut permissions = Permissions::default();
        assert!(permissions.grant(peer("1.1.1.1:1").ip(), 1, now));
        assert!(!permissions.grant(peer("2.2.2.2:1").ip(), 1, now));
        assert!(permissions.holds(peer("[::ffff:1.1.1.1]:1").ip(), now + Duration::from_secs(299)));
        let later = now + PERMISSION;
        assert!(!permissions.holds(peer("1.1.1.1:1").ip(), later));
        assert!(permissions.grant(peer("2.2.2.2:1").ip(), 1, later));
    }

    #[test]
    fn a_channel_belongs_to_one_peer_and_a_peer_to_one_channel() {
        let now = Instant::now();
        let mut channels = Channels::default();
        assert_eq!(channels.bind(0x4000, peer("1.1.1.1:1"), 2, now), Ok(()));
        assert_eq!(channels.bind(0x4000, peer("1.1.1.1:1"), 2, now), Ok(()));
        assert_eq!(channels.bind(0x4001, peer("1.1.1.1:1"), 2, now), Err(Unbound::Taken));
        assert_eq!(channels.bind(0x4000, peer("1.1.1.1:2"), 2, now), Err(Unbound::Taken));
        assert_eq!(channels.bind(0x4001, peer("1.1.1.1:2"), 2, now), Ok(()));
        assert_eq!(channels.bind(0x4002, peer("1.1.1.1:3"), 2, now), Err(Unbound::Enough));
        assert_eq!(channels.peer(0x4001, now + CHANNEL), None);
        assert_eq!(channels.bind(0x4000, peer("9.9.9.9:9"), 2, now + CHANNEL), Ok(()));
    }

    #[test]
    fn a_budget_lets_a_second_through_and_no_more() {
        let start = Instant::now();
        let mut budget = Budget::new(1000, start);
        let passed =
            |budget: &mut Budget, at: Duration| (0..100).filter(|_| budget.take(100, 1000, start + at)).count();
        assert_eq!(passed(&mut budget, Duration::ZERO), 10);
        assert_eq!(passed(&mut budget, Duration::from_millis(500)), 5);
        assert_eq!(
            passed(&mut budget, Duration::from_secs(60)),
            10,
            "what was not used is not saved up"
        );
    }
}
