//! One packet for one subscriber: whether it belongs to what they get, and under which numbers it leaves.

use super::subscribe::{Slot, Subscription};
use crate::forward::layers::Layer;
use crate::forward::thin::Thinned;
use crate::forward::{Codec, Packet, Spatial};
use crate::peer::{Outgoing, Payload, Peer};
use std::time::Instant;

/// What became of a packet at one subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is on its way; whether it is the first of this subscription.
    Yes { is_first: bool },
    /// It is not for them now.
    No,
    /// They need a key frame of this layer before anything can be sent.
    NeedsKeyFrame(Option<Layer>),
}

/// One packet for one subscriber.
pub(super) struct One<'a> {
    /// The size it is of, where each comes in a stream of its own.
    pub(super) layer: Option<Layer>,
    /// Its place in a picture whose sizes come in one stream.
    pub(super) spatial: Option<Spatial>,
    /// The best layer that the subscriber may get and that flows.
    pub(super) target: Option<Layer>,
    /// Whether a key frame begins with it.
    pub(super) is_key: bool,
    pub(super) packet: &'a Packet,
    /// The primary block of redundant audio.
    pub(super) primary: Option<&'a [u8]>,
    pub(super) now: Instant,
}

impl One<'_> {
    pub(super) fn send(&self, subscription: &mut Subscription, slot: &mut Slot, peer: &mut Peer) -> Sent {
        let is_paused = subscription.is_video && subscription.share.is_none();
        if subscription.wish.is_disabled || is_paused {
            return Sent::No;
        }
        let packet = self.packet;
        let (mut sequence, mut marker, mut is_hole) = (packet.sequence, packet.marker, false);
        if let (Some(spatial), Some(target)) = (self.spatial, self.target) {
            let layers = (&mut subscription.current, target);
            match subscription.thinner.take(packet, spatial, self.is_key, layers) {
                Thinned::Forward {
                    sequence: number,
                    marker: ends,
                    begins,
                } => {
                    (sequence, marker) = (number, ends);
                    if begins {
                        slot.numbers.restart();
                    }
                }
                Thinned::Hole(number) => (sequence, is_hole) = (number, true),
                Thinned::Leave => return Sent::No,
                Thinned::NeedsKeyFrame => return Sent::NeedsKeyFrame(None),
            }
        } else if packet.codec.is_video() {
            match self.choose(subscription, slot) {
                Sent::Yes { .. } => {}
                other @ (Sent::No | Sent::NeedsKeyFrame(_)) => return other,
            }
        }
        let begins = slot.numbers.is_at_start();
        let clock_hz = packet.codec.clock_hz();
        let numbers = slot.numbers.rewrite(sequence, packet.timestamp, clock_hz, self.now);
        let Some((sequence, timestamp)) = numbers else {
            return Sent::No;
        };
        let vp8 = if packet.codec == Codec::Vp8 {
            slot.vp8.rewrite(&packet.payload, begins)
        } else {
            None
        };
        let payload = match self.primary {
            Some(primary) if !peer.takes(slot.media, Codec::Red, 0) => Payload::Primary(primary),
            _ if is_hole => Payload::Nothing,
            Some(_) | None => Payload::AsIs,
        };
        let outgoing = Outgoing {
            sequence,
            timestamp,
            marker: marker && !is_hole,
            vp8,
        };
        if !peer.write(slot.media, packet, &payload, outgoing) {
            return Sent::No;
        }
        let is_first = !subscription.has_sent;
        subscription.has_sent = true;
        Sent::Yes { is_first }
    }

    /// Whether a picture's packet belongs to the layer that is sent, changing layers on a key frame.
    fn choose(&self, subscription: &mut Subscription, slot: &mut Slot) -> Sent {
        // One layer alone counts as the smallest: begin at a key frame, then everything.
        let layer = self.layer.unwrap_or(0);
        let is_target = self.layer.is_none() || self.target == Some(layer);
        if subscription.current == Some(layer) {
            return Sent::Yes { is_first: false };
        }
        if !is_target {
            return Sent::No;
        }
        if !self.is_key {
            return Sent::NeedsKeyFrame(self.layer);
        }
        slot.numbers.restart();
        subscription.current = Some(layer);
        Sent::Yes { is_first: false }
    }
}
