//! Recorders: they get the packets of tracks as they come.

use super::Room;
use crate::forward::layers::Layer;
use crate::forward::{Codec, Packet};
use crate::protocol as wire;
use crate::stage::TrackKey;
use crate::tap::{Tap, TapFilter, TapId, TrackTag};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// A tap and the layer it is on, for each picture.
pub(super) struct Tapped {
    filter: TapFilter,
    tap: Box<dyn Tap>,
    layers: BTreeMap<TrackKey, Option<Layer>>,
}

impl Tapped {
    fn takes(&self, tag: &TrackTag) -> bool {
        if tag.is_withheld && self.tap.keeps() {
            return false;
        }
        match &self.filter {
            TapFilter::Track(sid) => *sid == tag.track_sid,
            TapFilter::Participant(identity) => *identity == tag.identity,
            TapFilter::AllAudio => tag.kind == wire::TrackType::Audio,
            TapFilter::All => true,
        }
    }
}

impl Room {
    /// Hands packets to `tap` from now on.
    pub(crate) fn tap(&mut self, filter: TapFilter, tap: Box<dyn Tap>, now: Instant) -> TapId {
        let id = TapId(self.fresh_key());
        let mut tapped = Tapped {
            filter,
            tap,
            layers: BTreeMap::new(),
        };
        let mut pictures = Vec::new();
        for track in self.tracks.values().filter(|track| track.is_announced) {
            if tapped.takes(&track.tag) {
                tapped.tap.opened(&track.tag, now);
                if track.info.muted {
                    tapped.tap.muted(&track.tag, true, now);
                }
                if track.is_video() {
                    pictures.push(track.key);
                }
            }
        }
        self.taps.insert(id, tapped);
        for picture in pictures {
            self.ask_key_frame(picture, None, now);
        }
        self.settle(now);
        id
    }

    /// Ends a tap.
    pub(crate) fn untap(&mut self, id: TapId, now: Instant) {
        if let Some(mut tapped) = self.taps.remove(&id) {
            for track in self.tracks.values().filter(|track| track.is_announced) {
                if tapped.takes(&track.tag) {
                    tapped.tap.closed(&track.tag, now);
                }
            }
        }
    }

    pub(super) fn open_taps(&mut self, tag: &Arc<TrackTag>, now: Instant) {
        for tapped in self.taps.values_mut().filter(|tapped| tapped.takes(tag)) {
            tapped.tap.opened(tag, now);
        }
    }

    /// A track may be recorded that might not before: it opens for whoever did not take it.
    pub(super) fn open_taps_anew(&mut self, known: &TrackTag, tag: &Arc<TrackTag>, is_muted: bool, now: Instant) {
        for tapped in self.taps.values_mut() {
            if !tapped.takes(known) && tapped.takes(tag) {
                tapped.tap.opened(tag, now);
                if is_muted {
                    tapped.tap.muted(tag, true, now);
                }
            }
        }
    }

    pub(super) fn close_tapped(&mut self, tag: &Arc<TrackTag>, now: Instant) {
        for tapped in self.taps.values_mut().filter(|tapped| tapped.takes(tag)) {
            tapped.tap.closed(tag, now);
        }
    }

    pub(super) fn mute_tapped(&mut self, tag: &Arc<TrackTag>, muted: bool, now: Instant) {
        for tapped in self.taps.values_mut().filter(|tapped| tapped.takes(tag)) {
            tapped.tap.muted(tag, muted, now);
        }
    }

    /// The room ends: nothing more comes.
    pub(super) fn close_taps(&mut self, now: Instant) {
        let ids: Vec<TapId> = self.taps.keys().copied().collect();
        for id in ids {
            self.untap(id, now);
        }
    }

    pub(super) fn drop_done_taps(&mut self) {
        self.taps.retain(|_, tapped| !tapped.tap.is_done());
    }

    pub(super) fn is_tapped(&self, tag: &TrackTag) -> bool {
        self.taps.values().any(|tapped| tapped.takes(tag))
    }

    /// A packet for whoever taps its track. Of a simulcast picture the best layer comes, changed on a key
    /// frame only.
    pub(super) fn tap_packet(
        &mut self,
        key: TrackKey,
        tag: &Arc<TrackTag>,
        (layer, best, is_key): (Option<Layer>, Option<Layer>, bool),
        (packet, primary): (&Packet, Option<&[u8]>),
        now: Instant,
    ) {
        let plain;
        let packet = match primary {
            Some(primary) => {
                plain = Packet {
                    codec: Codec::Opus,
                    payload: primary.into(),
                    ..packet.clone()
                };
                &plain
            }
            None => packet,
        };
        let mut needs_key = false;
        for tapped in self.taps.values_mut().filter(|tapped| tapped.takes(tag)) {
            if packet.codec.is_video() {
                let current = tapped.layers.get(&key).copied();
                if current != Some(layer) {
                    let is_wanted = layer == best;
                    if !is_wanted || !is_key {
                        needs_key |= is_wanted;
                        continue;
                    }
                    tapped.layers.insert(key, layer);
                }
            }
            tapped.tap.packet(tag, packet, now);
        }
        if needs_key {
            self.ask_key_frame(key, best, now);
        }
    }
}
