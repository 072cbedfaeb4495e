//! The way of a packet: from a publisher's section to everybody who subscribed.

use super::member::{Body, MemberKey, PeerKey};
use super::send::{One, Sent};
use super::subscribe::State;
use super::{Response, Room, RoomOutput};
use crate::forward::layers::Layer;
use crate::forward::{Codec, Packet, begins_key_frame, red};
use crate::peer::MediaId;
use crate::protocol as wire;
use crate::stage::{TrackKey, TrackPacket};
use std::time::Instant;

impl Room {
    /// A packet came from a publisher.
    pub(super) fn packet(
        &mut self,
        owner: MemberKey,
        media: MediaId,
        layer: Option<Layer>,
        packet: &Packet,
        now: Instant,
    ) {
        let Some(key) = self.incoming.get(&(owner, media)).copied() else {
            return;
        };
        let Some(track) = self.tracks.get_mut(&key) else { return };
        if packet.codec.is_video() != track.is_video() || track.info.muted {
            return;
        }
        if !packet.codec.is_video() {
            track.loudness.heard(packet.level.unwrap_or(127));
            self.heard_at = Some(now);
            // The room may have been drowsy until this word.
            self.pulse_due = self.pulse_due.min(now + super::LIVELY);
        }
        self.forward(key, layer, packet, now);
    }

    /// Gives a packet to everybody who gets the track.
    pub(super) fn forward(&mut self, key: TrackKey, layer: Option<Layer>, packet: &Packet, now: Instant) {
        let Some(track) = self.tracks.get_mut(&key) else { return };
        let is_video = track.is_video();
        let is_from_phone = track.is_from_phone;
        // Redundancy is taken off once, for all who did not agree on it.
        let is_red = packet.codec == Codec::Red;
        let primary = is_red.then(|| red::primary(&packet.payload)).flatten();
        if is_red && primary.is_none() {
            return;
        }
        let spatial = track.count_layer(packet, layer, now);
        let best = if is_video && layer.is_some() {
            track.layers.best(2, now)
        } else {
            layer
        };
        let listeners = std::mem::take(&mut track.listeners);
        let flowing = track.layers.clone();
        let tag = std::sync::Arc::clone(&track.tag);
        let mut is_first = false;
        let mut wanted: Option<Option<Layer>> = None;
        let is_key = is_video && begins_key_frame(packet.codec, &packet.payload);
        for listener in &listeners {
            let Some(browser) = self.members.get_mut(listener).and_then(|member| member.browser_mut()) else {
                continue;
            };
            let Some(subscription) = browser.subscriptions.get_mut(&key) else {
                continue;
            };
            let State::Open(media) = subscription.state else {
                continue;
            };
            let Some(slot) = browser.slots.iter_mut().find(|slot| slot.media == media) else {
                continue;
            };
            let is_subscriber = browser.subscriber.is_some();
            let leg = browser.subscriber.as_mut().unwrap_or(&mut browser.publisher);
            if !leg.peer.is_connected() {
                continue;
            }
            let share = subscription.share.filter(|_| layer.is_some() || spatial.is_some());
            let target = match share.filter(|_| is_video) {
                Some(share) => flowing.best(subscription.wish.most.min(share), now),
                None => layer,
            };
            let one = One {
                layer,
                spatial,
                target,
                is_key,
                packet,
                primary,
                now,
            };
            match one.send(subscription, slot, &mut leg.peer) {
                Sent::Yes { is_first: first } => {
                    is_first |= first;
                    if spatial.is_some() && target > subscription.current {
                        // A larger layer begins with a key frame.
                        wanted = Some(None);
                    }
                    leg.is_written = true;
                    if !leg.is_touched {
                        leg.is_touched = true;
                        self.touched.push(PeerKey {
                            member: *listener,
                            is_subscriber,
                        });
                    }
                }
                Sent::NeedsKeyFrame(layer) => wanted = Some(layer),
                Sent::No => {}
            }
        }
        if let Some(track) = self.tracks.get_mut(&key) {
            track.listeners = listeners;
        }
        if let Some(layer) = wanted {
            self.ask_key_frame(key, layer, now);
        }
        if is_first {
            self.first_listened(key);
        }
        if !is_video && !is_from_phone && !self.stage.is_empty() {
            self.stage.track_said(
                key,
                TrackPacket {
                    sequence: packet.sequence,
                    level: packet.level,
                    payload: primary.map_or_else(|| packet.payload.clone(), Into::into),
                },
            );
        }
        if !self.taps.is_empty() {
            self.tap_packet(key, &tag, (layer, best, is_key), (packet, primary), now);
        }
    }

    /// A publisher learns that somebody gets its track.
    fn first_listened(&mut self, key: TrackKey) {
        let Some(track) = self.tracks.get_mut(&key) else { return };
        if track.has_told_publisher {
            return;
        }
        track.has_told_publisher = true;
        let (owner, track_sid) = (track.owner, track.info.sid.clone());
        self.respond(owner, Response::TrackSubscribed(wire::TrackSubscribed { track_sid }));
    }

    /// Asks a publisher for a key frame of a layer, or of whatever flows; not too often.
    pub(super) fn ask_key_frame(&mut self, key: TrackKey, layer: Option<Layer>, now: Instant) {
        let Some(track) = self.tracks.get_mut(&key) else { return };
        let layer = layer.or_else(|| track.layers.best(2, now));
        if !track.may_ask_key_frame(layer, now) {
            return;
        }
        let owner = track.owner;
        let Some(media) = track.media else {
            let source = track.cid.clone();
            if let Some(Body::Relayed) = self.members.get(&owner).map(|member| &member.body) {
                self.outputs.push_back(RoomOutput::KeyFrameWanted(owner, source));
            }
            return;
        };
        let peer = PeerKey {
            member: owner,
            is_subscriber: false,
        };
        if let Some(leg) = self.leg(peer) {
            leg.peer.want_key_frame(media, layer);
            leg.is_written = true;
            self.touch(peer);
        }
    }

    /// A subscriber cannot go on without a key frame.
    pub(super) fn key_frame_wanted(&mut self, member: MemberKey, media: MediaId, now: Instant) {
        let Some(browser) = self.browser(member) else { return };
        let Some(track) = browser
            .slots
            .iter()
            .find(|slot| slot.media == media)
            .and_then(|slot| slot.track)
        else {
            return;
        };
        let layer = browser.subscriptions.get(&track).and_then(|one| one.current);
        self.ask_key_frame(track, layer, now);
    }
}
