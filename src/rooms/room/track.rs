//! One published track.

use super::member::MemberKey;
use crate::forward::layers::{LAYERS, Layer, Layers};
use crate::forward::speakers::Loudness;
use crate::forward::{Packet, Spatial, SpatialReader};
use crate::peer::MediaId;
use crate::protocol as wire;
use crate::stage::TrackKey;
use crate::tap::TrackTag;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a key frame may be asked of one layer.
const KEY_FRAME_PACE: Duration = Duration::from_millis(400);

/// The largest layer.
const TOP: Layer = 2;

/// A published track.
pub(super) struct Track {
    pub(super) key: TrackKey,
    pub(super) owner: MemberKey,
    pub(super) info: wire::TrackInfo,
    /// The publisher's own name of it.
    pub(super) cid: String,
    /// The section it comes in; `None` until it is negotiated.
    pub(super) media: Option<MediaId>,
    /// Whether the room's own stage makes it.
    pub(super) is_from_phone: bool,
    /// Whether the others know of it.
    pub(super) is_announced: bool,
    /// Whether its publisher knows that somebody listens.
    pub(super) has_told_publisher: bool,
    pub(super) layers: Layers,
    spatial: SpatialReader,
    pub(super) loudness: Loudness,
    /// Who gets it.
    pub(super) listeners: Vec<MemberKey>,
    pub(super) tag: Arc<TrackTag>,
    key_asked: [Option<Instant>; LAYERS],
    /// Counts a phone's 16-bit numbers on through roll-overs.
    counted: Option<u64>,
}

impl Track {
    pub(super) fn new(key: TrackKey, owner: MemberKey, info: wire::TrackInfo, cid: String, tag: TrackTag) -> Self {
        Self {
            key,
            owner,
            info,
            cid,
            media: None,
            is_from_phone: false,
            is_announced: false,
            has_told_publisher: false,
            layers: Layers::default(),
            spatial: SpatialReader::default(),
            loudness: Loudness::default(),
            listeners: Vec::new(),
            tag: Arc::new(tag),
            key_asked: [None; LAYERS],
            counted: None,
        }
    }

    pub(super) fn is_video(&self) -> bool {
        self.info.r#type == wire::TrackType::Video as i32
    }

    /// Notes which layer of a picture flows. Where all layers come in one stream the packet's place comes back, as
    /// layers are counted here: the smallest of two may be called the middle one.
    pub(super) fn count_layer(&mut self, packet: &Packet, layer: Option<Layer>, now: Instant) -> Option<Spatial> {
        if !packet.codec.is_video() {
            return None;
        }
        let bytes = packet.payload.len();
        let Some(spatial) = self.spatial.read(packet.codec, packet.sequence, &packet.payload) else {
            self.layers.heard(layer.unwrap_or(0), bytes, now);
            return None;
        };
        let lowest = self.sizes().first().map_or(0, |(lowest, _, _)| *lowest);
        let layer = spatial.layer.saturating_add(lowest).min(TOP);
        self.layers.heard_below(layer, bytes, now);
        Some(Spatial { layer, ..spatial })
    }

    /// Whether a key frame may be asked of a layer now; notes that it was.
    pub(super) fn may_ask_key_frame(&mut self, layer: Option<Layer>, now: Instant) -> bool {
        let Some(asked) = self.key_asked.get_mut(usize::from(layer.unwrap_or(0))) else {
            return false;
        };
        let is_due = asked.is_none_or(|at| now.saturating_duration_since(at) >= KEY_FRAME_PACE);
        if is_due {
            *asked = Some(now);
        }
        is_due
    }

    /// A 16-bit sequence number, counted on.
    pub(super) fn count_on(&mut self, sequence: u64) -> u64 {
        let counted = match self.counted {
            None => sequence,
            Some(last) => last + ((sequence.wrapping_sub(last)) & 0xFFFF),
        };
        self.counted = Some(counted);
        counted
    }

    /// Its layers. Of several codecs the first is the one that is sent.
    fn layers(&self) -> &[wire::VideoLayer] {
        self.info.codecs.first().map_or(&[], |codec| &codec.layers)
    }

    /// Whether it comes in several sizes.
    pub(super) fn has_layers(&self) -> bool {
        self.layers().len() > 1
    }

    /// The sizes of its layers, smallest first.
    pub(super) fn sizes(&self) -> Vec<(Layer, u32, u32)> {
        let mut sizes: Vec<(Layer, u32, u32)> = self
            .layers()
            .iter()
            .filter_map(|layer| Some((u8::try_from(layer.quality).ok()?.min(2), layer.width, layer.height)))
            .collect();
        sizes.sort_unstable();
        sizes
    }
}
