//! What clients send to peers, and peers to clients.

use super::{Client, Output, Path, RelayId, TurnServer};
use crate::turn::wire::{self, Message};
use bytes::{BufMut as _, Bytes, BytesMut};
use std::net::SocketAddr;
use std::time::Instant;

impl TurnServer {
    /// ChannelData from a client: number, length, payload.
    pub(super) fn take_channel_data(&mut self, client: Client, bytes: &Bytes, now: Instant) {
        let [n0, n1, l0, l1, ..] = bytes[..] else {
            self.figures.dropped += 1;
            return;
        };
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let peer = self
            .open
            .get(&client)
            .and_then(|allocation| allocation.channels.peer(u16::from_be_bytes([n0, n1]), now));
        // A datagram may be longer than its length says: padding is allowed there too (RFC 8656 §12.5).
        match peer {
            Some(peer) if bytes.len() >= 4 + length => self.send_to_peer(client, peer, bytes.slice(4..4 + length), now),
            Some(_) | None => self.figures.dropped += 1,
        }
    }

    /// A Send indication from a client.
    pub(super) fn take_indication(&mut self, client: Client, message: &Message<'_>, now: Instant) {
        // An attribute that is not understood, DONT-FRAGMENT among them, makes an indication void.
        let is_clear = wire::unknown(message).is_empty();
        match (wire::peers(message)[..].first(), wire::payload(message)) {
            (Some(peer), Some(payload)) if is_clear => {
                self.send_to_peer(client, *peer, Bytes::copy_from_slice(payload), now);
            }
            (Some(_) | None, Some(_) | None) => self.figures.dropped += 1,
        }
    }

    fn send_to_peer(&mut self, client: Client, peer: SocketAddr, payload: Bytes, now: Instant) {
        let rate = self.config.limits.bytes_per_second;
        let Some(allocation) = self.open.get_mut(&client).filter(|open| open.ends_at > now) else {
            self.figures.dropped += 1;
            return;
        };
        // A permission is for an address, the policy looks at the port as well.
        if !allocation.permissions.holds(peer.ip(), now)
            || !self.config.policy.permits(peer)
            || !allocation.budget.take(payload.len(), rate, now)
        {
            self.figures.dropped += 1;
            return;
        }
        self.figures.packets += 1;
        self.figures.bytes_to_peers += payload.len() as u64;
        let reached_at = self.config.policy.outward(peer);
        self.outputs
            .push_back(Output::ToPeer(allocation.relay, reached_at, payload));
    }

    pub(super) fn take_from_peer(&mut self, relay: RelayId, source: SocketAddr, payload: &Bytes, now: Instant) {
        let rate = self.config.limits.bytes_per_second;
        let client = self.relays.get(&relay).copied();
        let open = client.and_then(|client| Some((client, self.open.get_mut(&client)?)));
        let Some((client, allocation)) = open.filter(|(_, allocation)| allocation.ends_at > now) else {
            self.figures.dropped += 1;
            return;
        };
        let peer = self.config.policy.inward(source);
        if !allocation.permissions.holds(peer.ip(), now)
            || !self.config.policy.permits(peer)
            || !allocation.budget.take(payload.len(), rate, now)
        {
            self.figures.dropped += 1;
            return;
        }
        self.figures.packets += 1;
        self.figures.bytes_to_clients += payload.len() as u64;
        let framed = if let Some(number) = allocation.channels.number(peer, now) {
            channel_data(number, payload, client.path)
        } else {
            self.indications += 1;
            wire::data_indication(peer, payload, self.indications.into()).into()
        };
        self.outputs.push_back(Output::ToClient(client, framed));
    }
}

fn channel_data(number: u16, payload: &[u8], path: Path) -> Bytes {
    let mut out = BytesMut::with_capacity(payload.len() + 8);
    out.put_u16(number);
    // A datagram's payload is never longer than 65,507 bytes.
    out.put_u16(u16::try_from(payload.len()).unwrap_or(u16::MAX));
    out.put_slice(payload);
    match path {
        Path::Udp(_) => {}
        // Over a stream it is padded to four bytes.
        Path::Stream(_) => out.resize(out.len().next_multiple_of(4), 0),
    }
    out.freeze()
}
