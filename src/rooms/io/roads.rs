//! Which datagram goes to which room: by the name in a connectivity check, then by where it came from.

use crate::peer::{Door, local_name};
use crate::room::PeerKey;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tracing::trace;

/// Addresses one connection may come from. A client tries all its networks; more is an attack.
const ADDRESSES: usize = 24;

/// An address from which nothing came for so long may change hands.
const STALE: Duration = Duration::from_secs(3);

/// A datagram on its way to a room.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) peer: PeerKey,
    pub(super) door: Door,
    pub(super) source: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

/// Where a connection's datagrams go.
#[derive(Debug, Clone)]
pub(super) struct Road {
    /// Which room.
    pub(super) room: u64,
    /// Which connection of it.
    pub(super) peer: PeerKey,
    /// The room's letter box. When it is full the datagram is lost, as on any network.
    pub(super) datagrams: mpsc::Sender<Arrived>,
}

type Source = (Door, SocketAddr);

#[derive(Debug, Default)]
struct Sources {
    roads: HashMap<Source, (Road, Instant)>,
    of_peer: HashMap<(u64, PeerKey), VecDeque<Source>>,
}

/// All roads of this machine.
#[derive(Debug, Default)]
pub(super) struct Roads {
    names: RwLock<HashMap<Arc<str>, Road>>,
    sources: Mutex<Sources>,
}

impl Roads {
    /// Connectivity checks under `name` are for that connection.
    pub(super) fn open(&self, name: &str, road: Road) {
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        names.insert(name.into(), road);
    }

    /// A connection is gone.
    pub(super) fn close(&self, room: u64, peer: PeerKey) {
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        names.retain(|_, road| road.room != room || road.peer != peer);
        drop(names);
        self.forget(|key| key == (room, peer));
    }

    /// A room is gone.
    pub(super) fn close_room(&self, room: u64) {
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        names.retain(|_, road| road.room != room);
        drop(names);
        self.forget(|key| key.0 == room);
    }

    fn forget(&self, is_gone: impl Fn((u64, PeerKey)) -> bool) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let Sources { roads, of_peer } = &mut *sources;
        of_peer.retain(|key, addresses| {
            if !is_gone(*key) {
                return true;
            }
            for address in addresses {
                if roads
                    .get(address)
                    .is_some_and(|(road, _)| (road.room, road.peer) == *key)
                {
                    roads.remove(address);
                }
            }
            false
        });
    }

    /// Carries a datagram to its room. `false`: nobody knows it.
    pub(super) fn carry(&self, door: Door, source: SocketAddr, bytes: &[u8], now: Instant) -> bool {
        let Some(road) = self.find(door, source, bytes, now) else {
            trace!("a datagram from nobody");
            return false;
        };
        let arrived = Arrived {
            peer: road.peer,
            door,
            source,
            bytes: bytes.to_vec(),
        };
        road.datagrams.try_send(arrived).is_ok()
    }

    fn find(&self, door: Door, source: SocketAddr, bytes: &[u8], now: Instant) -> Option<Road> {
        let named = local_name(bytes).map(|name| {
            let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
            names.get(name).cloned()
        });
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        match named {
            // A check under a name nobody has: a flood ends here.
            Some(None) => None,
            Some(Some(road)) => {
                sources.learn((door, source), &road, now);
                Some(road)
            }
            None => {
                let (road, seen) = sources.roads.get_mut(&(door, source))?;
                *seen = now;
                Some(road.clone())
            }
        }
    }
}

impl Sources {
    /// A check came from there. An address that is in use does not change hands: a check can be forged, and
    /// only the room can tell.
    fn learn(&mut self, source: Source, road: &Road, now: Instant) {
        let key = (road.room, road.peer);
        if let Some((known, seen)) = self.roads.get_mut(&source) {
            let is_same = (known.room, known.peer) == key;
            if is_same {
                *seen = now;
                return;
            }
            if now.saturating_duration_since(*seen) < STALE && !known.datagrams.is_closed() {
                return;
            }
        }
        let addresses = self.of_peer.entry(key).or_default();
        addresses.push_back(source);
        self.roads.insert(source, (road.clone(), now));
        if addresses.len() > ADDRESSES
            && let Some(oldest) = addresses.pop_front()
        {
            self.roads.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::MemberKey;

    fn road(room: u64) -> (Road, mpsc::Receiver<Arrived>) {
        let (datagrams, receiver) = mpsc::channel(64);
        let peer = PeerKey {
            member: MemberKey(1),
            is_subscriber: false,
        };
        (Road { room, peer, datagrams }, receiver)
    }

    fn check(name: &str) -> Vec<u8> {
        let name = format!("{name}:x");
        let length = u8::try_from(name.len()).unwrap();
        let mut bytes = vec![0, 1, 0, 4 + length.next_multiple_of(4), 0x21, 0x12, 0xA4, 0x42];
        bytes.extend([0; 12]);
        bytes.extend([0, 6, 0, length]);
        bytes.extend(name.as_bytes());
        bytes.resize(24 + usize::from(length.next_multiple_of(4)), 0);
        bytes
    }

    #[test]
    fn a_source_is_known_by_its_check_and_then_by_its_address() {
        let roads = Roads::default();
        let ((road, mut letters), now) = (road(1), Instant::now());
        let source: SocketAddr = "192.0.2.1:5000".parse().unwrap();
        roads.open("ada", road.clone());
        assert!(!roads.carry(Door::Udp, source, b"\x80media", now));
        assert!(!roads.carry(Door::Udp, source, &check("bob"), now));
        assert!(roads.carry(Door::Udp, source, &check("ada"), now));
        assert!(roads.carry(Door::Udp, source, b"\x80media", now));
        assert_eq!(letters.try_recv().unwrap().source, source);
        roads.close(1, road.peer);
        assert!(!roads.carry(Door::Udp, source, b"\x80media", now));
        assert!(!roads.carry(Door::Udp, source, &check("ada"), now));
    }

    #[test]
    fn an_address_in_use_does_not_change_hands() {
        let roads = Roads::default();
        let now = Instant::now();
        let ((ada, mut ada_letters), (eve, mut eve_letters)) = (road(1), road(2));
        let source: SocketAddr = "192.0.2.1:5000".parse().unwrap();
        roads.open("ada", ada);
        roads.open("eve", eve);
        roads.carry(Door::Udp, source, &check("ada"), now);
        roads.carry(Door::Udp, source, &check("eve"), now);
        roads.carry(Door::Udp, source, b"\x80media", now);
        assert_eq!((ada_letters.len(), eve_letters.len()), (2, 1));
        let later = now + STALE;
        roads.carry(Door::Udp, source, &check("eve"), later);
        roads.carry(Door::Udp, source, b"\x80media", later);
        assert_eq!((ada_letters.len(), eve_letters.len()), (2, 3));
        while ada_letters.try_recv().is_ok() || eve_letters.try_recv().is_ok() {}
    }

    #[test]
    fn one_connection_holds_so_many_addresses_and_no_more() {
        let roads = Roads::default();
        let (road, _letters) = road(1);
        roads.open("ada", road);
        for port in 1..=200 {
            let source = SocketAddr::from(([192, 0, 2, 1], port));
            roads.carry(Door::Udp, source, &check("ada"), Instant::now());
        }
        assert_eq!(roads.sources.lock().unwrap().roads.len(), ADDRESSES);
    }
}
